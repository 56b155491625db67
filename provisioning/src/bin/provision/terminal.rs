//! The person at the terminal. Answers go to standard output, questions and news to standard error, so that the first can
//! be piped on.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::{Failure, OrFail};

/// Characters of an answer: more than anything asked for has.
const ANSWER_MAX: u64 = 4096;

/// Prints to standard output.
///
/// # Errors
/// If nobody reads it.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_fail(|| "cannot print".to_owned())
}

/// Says something that is not what was asked for. Nobody may be reading.
pub fn say(text: &str) {
    let _said = writeln!(io::stderr(), "{text}");
}

/// Whether there is somebody who can be asked.
pub fn has_somebody() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and gives the answer without blanks around it; empty if it was only a line's end.
///
/// # Errors
/// If nobody answers any more.
pub fn ask(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).or_fail(|| "cannot ask".to_owned())?;
    let mut answer = String::new();
    let read = io::Read::take(io::stdin().lock(), ANSWER_MAX).read_line(&mut answer);
    if read.or_fail(|| "cannot read the answer".to_owned())? == 0 {
        return Err(Failure::new("nobody answered"));
    }
    Ok(answer.trim().to_owned())
}
