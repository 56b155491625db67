//! Downloading one file whose size and SHA-256 are known: from the first place that has it, going on where an
//! interrupted download ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;

use crate::host::clock;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;

/// Until a connection stands; a mirror that needs longer is down.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Until an answer begins, and between two pieces of it.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Attempts in a row that bring nothing new, per place.
const ATTEMPTS_MAX: u32 = 4;
/// Wait before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Pieces in which a body is read.
const PIECE_BYTES: usize = 128 * 1024;

/// What is known of a file before it is there.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: &'a str,
}

/// How a download ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is there and is the one expected.
    Done,
    /// Every place answered, and none has it any more.
    Gone,
}

/// Makes requests; proxies come from the environment (`http_proxy`, `https_proxy`, `no_proxy`).
pub struct Client {
    agent: Agent,
    pause: Duration,
}

/// What one attempt came to.
enum Attempt {
    Whole,
    NotThere,
    Broken(Failure),
}

impl Client {
    /// A client without open connections.
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_recv_response(Some(SILENCE_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .accept_encoding("identity")
            .user_agent("storebox-image");
        Self { agent: config.build().into(), pause: PAUSE }
    }

    /// Gets a small file of unknown size from the first place that has it; `None` when none has.
    ///
    /// # Errors
    /// When a place fails or the file is longer than `size_max` bytes.
    pub fn get(&self, urls: &[String], size_max: u64) -> Result<Option<Vec<u8>>, Failure> {
        let mut failure = None;
        for url in urls {
            for attempt in 0..ATTEMPTS_MAX {
                self.wait_before(attempt);
                match self.get_once(url, size_max) {
                    Ok(Some(body)) => return Ok(Some(body)),
                    Ok(None) => break,
                    Err(error) => failure = Some(error),
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn get_once(&self, url: &str, size_max: u64) -> Result<Option<Vec<u8>>, Failure> {
        let what = || format!("{url} cannot be fetched");
        let mut response = self.agent.get(url).call().or_fail(what)?;
        match response.status().as_u16() {
            200 => response.body_mut().with_config().limit(size_max).read_to_vec().map(Some).or_fail(what),
            404 | 410 => Ok(None),
            status => Err(Failure::new(format!("{}: status {status}", what()))),
        }
    }

    /// Downloads a file to `target`, by way of `target.part`. `at` is told how many bytes of it are there.
    ///
    /// # Errors
    /// When no place gave it and not all of them said that it is gone; what arrived stays for the next time.
    pub fn download(
        &self,
        urls: &[String],
        target: &Path,
        expected: Expected<'_>,
        at: &mut dyn FnMut(u64),
    ) -> Result<Outcome, Failure> {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let part = Path::new(&name);
        let mut failure = None;
        for url in urls {
            let mut idle = 0;
            // Only what is beyond it is new: a place that goes wrong at the same byte each time is given up.
            let mut most = length(part);
            while idle < ATTEMPTS_MAX {
                self.wait_before(idle);
                match self.attempt(url, part, expected, at) {
                    Attempt::Whole => {
                        fs::rename(part, target).or_fail(|| format!("{} cannot be written", target.display()))?;
                        return Ok(Outcome::Done);
                    }
                    Attempt::NotThere => break,
                    Attempt::Broken(error) => failure = Some(error),
                }
                idle = if length(part) > most { 1 } else { idle + 1 };
                most = most.max(length(part));
            }
        }
        failure.map_or(Ok(Outcome::Gone), Err)
    }

    fn attempt(&self, url: &str, part: &Path, expected: Expected<'_>, at: &mut dyn FnMut(u64)) -> Attempt {
        let result = self.receive(url, part, expected, at).and_then(|is_there| {
            if !is_there {
                return Ok(Attempt::NotThere);
            }
            let found = files::sha256(part)?;
            if length(part) == expected.size && found == expected.sha256 {
                return Ok(Attempt::Whole);
            }
            // Not the beginning of the right file, so nothing to go on from.
            files::remove(part)?;
            Err(Failure::new(format!("{url} has other content than expected (SHA-256 {found})")))
        });
        result.unwrap_or_else(Attempt::Broken)
    }

    /// Completes `part`. `false` when the place does not have the file.
    fn receive(
        &self,
        url: &str,
        part: &Path,
        expected: Expected<'_>,
        at: &mut dyn FnMut(u64),
    ) -> Result<bool, Failure> {
        let what = || format!("{url} cannot be fetched");
        let mut have = length(part);
        if have >= expected.size {
            return Ok(true);
        }
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().or_fail(what)?;
        match response.status().as_u16() {
            200 => have = 0,
            206 => {
                let range = response.headers().get("Content-Range").and_then(|range| range.to_str().ok());
                if !range.is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) {
                    files::remove(part)?;
                    return Err(Failure::new(format!("{}: the answer is another range: {range:?}", what())));
                }
            }
            404 | 410 => return Ok(false),
            416 => {
                files::remove(part)?;
                return Err(Failure::new(format!("{}: it is shorter than expected", what())));
            }
            status => return Err(Failure::new(format!("{}: status {status}", what()))),
        }
        let file = OpenOptions::new().create(true).write(true).truncate(have == 0).append(have > 0).open(part);
        let mut file = file.or_fail(|| format!("{} cannot be written", part.display()))?;
        let mut body = response.into_body().into_reader().take(expected.size - have);
        copy(&mut body, &mut file, have, at).or_fail(what)?;
        if length(part) < expected.size {
            return Err(Failure::new(format!("{}: it ended early", what())));
        }
        Ok(true)
    }

    fn wait_before(&self, attempt: u32) {
        if let Some(doublings) = attempt.checked_sub(1) {
            clock::pause(self.pause.saturating_mul(1 << doublings.min(8)));
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

fn copy(body: &mut impl Read, file: &mut File, mut have: u64, at: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        at(have);
        let count = body.read(&mut piece)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        file.write_all(bytes)?;
        have = have.saturating_add(u64::try_from(count).unwrap_or_default());
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::thread::JoinHandle;

    use sha2::{Digest, Sha256};

    use super::*;

    /// Answers one connection after the other with the given bytes, and gives back the requests' `Range` headers.
    fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/pool/a.deb", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let serve = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                stream.write_all(answer.as_bytes()).unwrap();
                let range = head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
                range.unwrap_or_default()
            };
            answers.into_iter().map(serve).collect()
        });
        (url, served)
    }

    fn answer(status: &str, length: usize, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("storebox-download-{name}-{}", std::process::id()));
            files::make_empty(&folder).unwrap();
            Self(folder)
        }

        fn download(&self, urls: &[String]) -> Result<Outcome, Failure> {
            let client = Client { pause: Duration::from_millis(1), ..Client::new() };
            let sha256 = format!("{:x}", Sha256::digest("0123456789"));
            let expected = Expected { size: 10, sha256: &sha256 };
            client.download(urls, &self.0.join("a.deb"), expected, &mut |_| {})
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_interrupted_download_goes_on_where_it_ended() {
        let place = Place::new("resume");
        let rest = "206 Partial Content\r\nContent-Range: bytes 4-9/10";
        let (url, served) = server(vec![answer("200 OK", 10, "0123"), answer(rest, 6, "456789")]);
        assert_eq!(place.download(&[url]).unwrap(), Outcome::Done);
        assert_eq!(served.join().unwrap(), ["", "bytes=4-"]);
        assert_eq!(fs::read_to_string(place.0.join("a.deb")).unwrap(), "0123456789");
        assert!(!place.0.join("a.deb.part").exists());
    }

    #[test]
    fn a_server_without_ranges_sends_all_again() {
        let place = Place::new("whole");
        fs::write(place.0.join("a.deb.part"), "0123").unwrap();
        let (url, served) = server(vec![answer("200 OK", 10, "0123456789")]);
        assert_eq!(place.download(&[url]).unwrap(), Outcome::Done);
        assert_eq!(served.join().unwrap(), ["bytes=4-"]);
    }

    #[test]
    fn a_wrong_beginning_is_thrown_away() {
        let place = Place::new("wrong");
        fs::write(place.0.join("a.deb.part"), "xxxx").unwrap();
        let rest = "206 Partial Content\r\nContent-Range: bytes 4-9/10";
        let (url, served) = server(vec![answer(rest, 6, "456789"), answer("200 OK", 10, "0123456789")]);
        assert_eq!(place.download(&[url]).unwrap(), Outcome::Done);
        assert_eq!(served.join().unwrap(), ["bytes=4-", ""]);
    }

    #[test]
    fn what_one_place_has_not_another_may_have() {
        let place = Place::new("second");
        let (first, first_served) = server(vec![answer("404 Not Found", 0, "")]);
        let (second, second_served) = server(vec![answer("200 OK", 10, "0123456789")]);
        assert_eq!(place.download(&[first, second]).unwrap(), Outcome::Done);
        assert_eq!((first_served.join().unwrap().len(), second_served.join().unwrap().len()), (1, 1));
    }

    #[test]
    fn gone_is_what_every_place_says_is_gone() {
        let place = Place::new("gone");
        let gone = || server(vec![answer("404 Not Found", 0, "")]).0;
        assert_eq!(place.download(&[gone(), gone()]).unwrap(), Outcome::Gone);
        let broken = server(vec![answer("500 Oops", 0, ""); 4]).0;
        let error = place.download(&[gone(), broken]).unwrap_err();
        assert!(error.to_string().contains("status 500"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_short_is_given_up() {
        let place = Place::new("short");
        let short = || answer("200 OK", 4, "0123");
        let no_more = || answer("416 Range Not Satisfiable", 0, "");
        // One that brings something new, then four that do not.
        let (url, served) = server(vec![short(), no_more(), short(), no_more()]);
        let error = place.download(&[url]).unwrap_err();
        assert!(error.to_string().contains("cannot be fetched"), "{error}");
        assert_eq!(served.join().unwrap(), ["", "bytes=4-", "", "bytes=4-"]);
    }

    #[test]
    fn other_content_is_never_taken() {
        let place = Place::new("other");
        let (url, _) = server(vec![answer("200 OK", 10, "012345678X"); 4]);
        let error = place.download(&[url]).unwrap_err();
        assert!(error.to_string().contains("other content"), "{error}");
        assert!(!place.0.join("a.deb").exists());
    }
}
