//! Running another program: no shell, a fixed environment, a limit in time and in what is kept of its output.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Deadline;
use crate::limits::PROGRAM_OUTPUT_BYTES_MAX;

/// Where programs find the programs that they run in turn.
const PATH: &str = "/usr/sbin:/usr/bin";

/// A program and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub file: &'static str,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it reads from standard input.
    pub input: String,
    /// How long it may take.
    pub time_max: Duration,
}

impl Program {
    /// A program without input.
    pub fn new(file: &'static str, time_max: Duration) -> Self {
        Self { file, arguments: Vec::new(), input: String::new(), time_max }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(OsString::from));
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`ProgramError`]; a program that took too long has been killed.
    pub fn run(&self) -> Result<Ended, ProgramError> {
        let deadline = Deadline::after(self.time_max);
        let (mut child, output) = self.start().map_err(|error| self.error(Cause::NotStarted(error)))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that ends without reading says why in its exit code.
            let _taken = input.write_all(self.input.as_bytes());
        }
        match last_words(output, deadline) {
            Ok(Some(output)) => {
                let status = child.wait().map_err(|error| self.error(Cause::NotStarted(error)))?;
                let code = status.code().ok_or_else(|| self.error(Cause::Killed))?;
                Ok(Ended { file: self.file, code, output })
            }
            Ok(None) => {
                stop(&mut child);
                Err(self.error(Cause::TooSlow(self.time_max)))
            }
            Err(error) => {
                stop(&mut child);
                Err(self.error(Cause::NotStarted(error)))
            }
        }
    }

    fn start(&self) -> io::Result<(Child, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let child = Command::new(self.file)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("TMPDIR", "/run")
            // Device nodes come from the kernel. Waiting for udev's rules about them would be waiting for ever
            // where those rules are not installed (libdevmapper(3)).
            .env("DM_DISABLE_UDEV", "1")
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        Ok((child, reader))
    }

    fn error(&self, cause: Cause) -> ProgramError {
        ProgramError { file: self.file, cause }
    }
}

/// Reads until the program closes its output, which it does at the latest when it ends, and keeps the end of it.
/// Nothing, if that does not happen in time.
fn last_words(mut output: PipeReader, deadline: Deadline) -> io::Result<Option<String>> {
    let mut kept = Vec::new();
    let mut buffer = [0; PROGRAM_OUTPUT_BYTES_MAX];
    loop {
        let Some(left) = deadline.left() else {
            return Ok(None);
        };
        let timeout = PollTimeout::try_from(left.min(Duration::from_secs(1))).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match output.read(&mut buffer)? {
            0 => return Ok(Some(String::from_utf8_lossy(&kept).trim().to_owned())),
            read => {
                kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
                let excess = kept.len().saturating_sub(PROGRAM_OUTPUT_BYTES_MAX);
                kept.drain(..excess);
            }
        }
    }
}

fn stop(child: &mut Child) {
    // Both fail only if it has ended by itself.
    let _killed = child.kill();
    let _reaped = child.wait();
}

/// A program that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its file.
    pub file: &'static str,
    /// Its exit code.
    pub code: i32,
    /// The end of what it wrote to standard output and standard error.
    pub output: String,
}

impl Ended {
    /// Takes every exit code but 0 as a failure.
    ///
    /// # Errors
    /// [`ProgramError`] with its last words.
    pub fn well(self) -> Result<(), ProgramError> {
        if self.code == 0 { Ok(()) } else { Err(self.failure()) }
    }

    /// This end, seen as a failure.
    pub fn failure(self) -> ProgramError {
        ProgramError { file: self.file, cause: Cause::Failed { code: self.code, output: self.output } }
    }
}

/// A program that did not do what it was started for.
#[derive(Debug)]
pub struct ProgramError {
    file: &'static str,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    NotStarted(io::Error),
    TooSlow(Duration),
    Killed,
    Failed { code: i32, output: String },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file;
        match &self.cause {
            Cause::NotStarted(error) => write!(f, "{file} cannot be run: {error}"),
            Cause::TooSlow(limit) => write!(f, "{file} was stopped after {} s", limit.as_secs()),
            Cause::Killed => write!(f, "{file} was ended by a signal"),
            Cause::Failed { code, output } => write!(f, "{file} ended with {code}: {output}"),
        }
    }
}

impl std::error::Error for ProgramError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::NotStarted(error) => Some(error),
            Cause::TooSlow(_) | Cause::Killed | Cause::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str, time_max: Duration) -> Program {
        Program::new("/bin/sh", time_max).args(["-c", script])
    }

    #[test]
    fn a_program_is_heard_to_its_end() {
        let ended = shell("read line; echo $line; echo $HOME >&2; exit 3", LONG);
        let ended = Program { input: "given\n".to_owned(), ..ended }.run().unwrap();
        assert_eq!((ended.code, ended.output.as_str()), (3, "given"), "no variable of ours reaches it");
        assert_eq!(ended.well().unwrap_err().to_string(), "/bin/sh ended with 3: given");
    }

    #[test]
    fn only_the_end_of_much_output_is_kept() {
        let ended = shell("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done", LONG).run().unwrap();
        assert!(ended.output.ends_with("line 2999") && ended.output.len() <= PROGRAM_OUTPUT_BYTES_MAX);
    }

    #[test]
    fn a_program_that_takes_too_long_is_stopped() {
        let error = shell("exec sleep 1000", SHORT).run().unwrap_err();
        assert!(matches!(error.cause, Cause::TooSlow(_)), "{error}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Program::new("/nowhere/program", LONG).run().unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/program cannot be run"), "{error}");
    }
}
