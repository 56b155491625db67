//! Stopping a machine's processor for good, through QEMU's debugger port (GDB manual, appendix "Remote Protocol").

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Numbers of registers in the protocol's description of x86-64.
const RIP: &str = "10";
const EFLAGS: &str = "11";
/// The flag that lets interrupts in (Intel manual, volume 1, section 3.4.3).
const INTERRUPTS: u32 = 1 << 9;
/// `jmp` to itself.
const ENDLESS_LOOP: &str = "ebfe";

/// Puts the machine's only processor into an endless loop with interrupts off: what it runs is dead, and nothing in it
/// can notice.
pub fn hang(socket: &Path) {
    let mut debugger = Debugger(UnixStream::connect(socket).expect("QEMU's debugger port is there"));
    debugger.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let stopped = debugger.ask("?");
    assert!(stopped.starts_with(['T', 'S']), "the machine did not stop: {stopped}");
    let here = u64::from_le_bytes(bytes(&debugger.ask(&format!("p{RIP}"))));
    debugger.order(&format!("M{here:x},2:{ENDLESS_LOOP}"));
    let flags = u32::from_le_bytes(bytes(&debugger.ask(&format!("p{EFLAGS}"))));
    let flags = (flags & !INTERRUPTS).to_le_bytes().map(|byte| format!("{byte:02x}")).concat();
    debugger.order(&format!("P{EFLAGS}={flags}"));
    // Detaching lets it run on.
    debugger.order("D");
}

struct Debugger(UnixStream);

impl Debugger {
    fn order(&mut self, what: &str) {
        let answer = self.ask(what);
        assert_eq!(answer, "OK", "QEMU refused {what}");
    }

    fn ask(&mut self, what: &str) -> String {
        let sum = what.bytes().fold(0_u8, u8::wrapping_add);
        self.0.write_all(format!("${what}#{sum:02x}").as_bytes()).expect("QEMU reads");
        let mut answer = String::new();
        // An acknowledgement comes first; then `$`, the answer, `#` and two digits.
        while self.byte() != '$' {}
        loop {
            match self.byte() {
                '#' => break,
                other => answer.push(other),
            }
        }
        let _sum = (self.byte(), self.byte());
        self.0.write_all(b"+").expect("QEMU reads");
        answer
    }

    fn byte(&mut self) -> char {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("QEMU answers");
        char::from(byte[0])
    }
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N, "QEMU said {text}");
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("registers are hexadecimal"))
}
