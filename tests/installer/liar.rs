//! A card that fails: the one file of a file system in user space (FUSE, `include/uapi/linux/fuse.h`, version 7.31), whose
//! every read and write is answered here. A loop device makes a disk of it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// What is wrong with the card.
pub enum Fault {
    /// What is written from this byte on is acknowledged and forgotten.
    Forgets(u64),
    /// It has as many bytes as this; what is beyond is at its begin again.
    Wraps(u64),
    /// From the first write at or beyond this byte on nothing is answered but errors.
    Vanishes(u64),
    /// The first write at or beyond this byte is held until the test lets go.
    Stalls(u64),
}

/// The mounted file; it goes with the value.
pub struct Liar {
    mount: PathBuf,
    server: Option<JoinHandle<Vec<u8>>>,
    stalled: Receiver<()>,
    go_on: SyncSender<()>,
}

impl Liar {
    /// A card of some bytes, mounted in a folder.
    pub fn new(folder: &Path, bytes: usize, fault: Fault) -> Self {
        let mount_point = folder.join("liar");
        std::fs::create_dir(&mount_point).unwrap();
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").expect("the kernel has FUSE");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("storebox-tests"), &mount_point, Some("fuse"), flags, Some(options.as_str()))
            .expect("root may mount");
        let (stalled_here, stalled) = sync_channel(1);
        let (go_on, told) = sync_channel(1);
        let card = Card { bytes: vec![0; bytes], fault, is_gone: false, stalled: stalled_here, told };
        let server = std::thread::spawn(move || card.serve(device));
        Self { mount: mount_point, server: Some(server), stalled, go_on }
    }

    /// The file that is the card.
    pub fn file(&self) -> PathBuf {
        self.mount.join("card")
    }

    /// Waits until a write is held.
    pub fn wait_until_stalled(&self) {
        self.stalled.recv_timeout(std::time::Duration::from_secs(30)).expect("a write is held");
    }

    /// Lets it go.
    pub fn go_on(&self) {
        self.go_on.send(()).unwrap();
    }

    /// What was on it in the end.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.end()
    }

    fn end(&mut self) -> Vec<u8> {
        let _free = self.go_on.try_send(());
        umount2(&self.mount, MntFlags::MNT_DETACH).expect("what was mounted can be unmounted");
        self.server.take().map(|server| server.join().expect("the server ends")).unwrap_or_default()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.end();
        }
    }
}

struct Card {
    bytes: Vec<u8>,
    fault: Fault,
    is_gone: bool,
    stalled: SyncSender<()>,
    told: Receiver<()>,
}

const ROOT: u64 = 1;
const CARD: u64 = 2;

impl Card {
    /// Answers until it is unmounted.
    fn serve(mut self, mut device: File) -> Vec<u8> {
        let mut request = vec![0; 1 << 20];
        loop {
            let length = match device.read(&mut request) {
                Ok(length) => length,
                Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => return self.bytes,
                Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => continue,
                Err(error) => panic!("/dev/fuse: {error}"),
            };
            let (head, body) = request[..length].split_at(40);
            let (opcode, unique, node) = (u32_at(head, 4), u64_at(head, 8), u64_at(head, 16));
            // Forgetting is not answered.
            if opcode == 2 || opcode == 42 {
                continue;
            }
            let (error, answer) = match self.answer(opcode, node, body) {
                Ok(answer) => (0, answer),
                Err(errno) => (-(errno as i32), Vec::new()),
            };
            let mut reply = u32::try_from(16 + answer.len()).unwrap().to_le_bytes().to_vec();
            reply.extend(error.to_le_bytes());
            reply.extend(unique.to_le_bytes());
            reply.extend(answer);
            // Whoever asked may have been killed.
            let _answered = device.write(&reply);
        }
    }

    fn answer(&mut self, opcode: u32, node: u64, body: &[u8]) -> Result<Vec<u8>, Errno> {
        match opcode {
            // LOOKUP
            1 if body.starts_with(b"card\0") => {
                let mut entry = numbers(&[CARD, 0, 3600, 3600, 0]);
                entry.extend(self.attributes(CARD));
                Ok(entry)
            }
            1 => Err(Errno::ENOENT),
            // GETATTR, SETATTR
            3 | 4 => Ok([numbers(&[3600, 0]), self.attributes(node)].concat()),
            // OPEN and OPENDIR, the file past the kernel's cache
            14 => Ok(numbers(&[0, 1])),
            27 => Ok(numbers(&[0, 0])),
            // READ
            15 => self.read(u64_at(body, 8), u32_at(body, 16)),
            // WRITE
            16 => self.write(u64_at(body, 8), &body[40..]),
            // RELEASE, FSYNC, FLUSH, RELEASEDIR
            18 | 25 | 29 => Ok(Vec::new()),
            20 => self.present().map(|()| Vec::new()),
            // INIT: big writes, 128 KiB
            26 => Ok([
                numbers(&[7 | 31 << 32, 128 << 10 | 1 << 37, 16 | 16 << 16 | 128 << 42]),
                numbers(&[1, 0, 0, 0, 0]),
            ]
            .concat()),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn present(&self) -> Result<(), Errno> {
        if self.is_gone { Err(Errno::ENODEV) } else { Ok(()) }
    }

    fn read(&mut self, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        self.present()?;
        let start = usize::try_from(self.place(offset)).unwrap().min(self.bytes.len());
        let end = (start + usize::try_from(size).unwrap()).min(self.bytes.len());
        Ok(self.bytes[start..end].to_vec())
    }

    /// Where a byte is.
    fn place(&self, offset: u64) -> u64 {
        match self.fault {
            Fault::Wraps(bytes) => offset % bytes,
            Fault::Forgets(_) | Fault::Vanishes(_) | Fault::Stalls(_) => offset,
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<Vec<u8>, Errno> {
        let end = offset + u64::try_from(data.len()).unwrap();
        match self.fault {
            Fault::Vanishes(from) if end > from && offset < from + (8 << 20) => self.is_gone = true,
            Fault::Stalls(from) if end > from && offset < from + (8 << 20) => {
                self.fault = Fault::Stalls(u64::MAX - (8 << 20));
                self.stalled.send(()).unwrap();
                let _told = self.told.recv();
            }
            Fault::Forgets(_) | Fault::Wraps(_) | Fault::Vanishes(_) | Fault::Stalls(_) => {}
        }
        self.present()?;
        let kept = match self.fault {
            Fault::Forgets(from) => data.len().min(usize::try_from(from.saturating_sub(offset)).unwrap()),
            Fault::Wraps(_) | Fault::Vanishes(_) | Fault::Stalls(_) => data.len(),
        };
        let start = usize::try_from(self.place(offset)).unwrap();
        self.bytes[start..start + kept].copy_from_slice(&data[..kept]);
        Ok(numbers(&[u64::try_from(data.len()).unwrap()]))
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let is_root = node == ROOT;
        let size = if is_root { 0 } else { u64::try_from(self.bytes.len()).unwrap() };
        let mode: u64 = if is_root { 0o040_755 } else { 0o100_600 };
        // ino, size, blocks, three times, their nanoseconds and the mode, links and user, group and device, block size
        numbers(&[node, size, size / 512, 0, 0, 0, 0, mode << 32, 1, 0, 4096])
    }
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(bytes[place..place + 8].try_into().unwrap())
}
