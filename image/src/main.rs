//! `image`: makes, boots and checks the store box's disk images. `image --help` says how.

use std::process::ExitCode;

use storebox_image::host::{command, sandbox};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let _this_program = arguments.next();
    let mut ahead = arguments.peekable();
    let failure = if ahead.peek().is_some_and(|first| first == sandbox::ENTER) {
        Some(sandbox::enter(ahead.skip(1)))
    } else {
        command::run().err()
    };
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            eprintln!("image: {failure:#}");
            ExitCode::from(failure.code())
        }
    }
}
