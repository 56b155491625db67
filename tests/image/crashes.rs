//! What hangs or dies is started again, by whoever watches it (B2, B6).

use std::time::{Duration, Instant};

use storebox_tests::{Raw, Terminal};

use crate::debugger;
use crate::machine::{Hardware, Machine, START};

/// The watchdog's fifteen seconds, twice: the chipset's timer resets when it runs out for the second time (Intel ICH9
/// data sheet, section 13.9). The rest is for a busy host.
const BITE: Duration = Duration::from_secs(35);
/// How long terminals may wait for a daemon that died.
const BACK: Duration = Duration::from_secs(20);
/// Five ends, each a second or two after the last start, and an orderly restart of the machine.
const GIVE_UP: Duration = Duration::from_secs(120);

/// Kills the daemon.
const KILL: &str = "
[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl kill --signal=KILL storeboxd.service
";
/// Does so once, some time after terminals are answered.
const ONCE: &str = "
[Unit]
After=storeboxd.service
[Timer]
OnActiveSec=6s
AccuracySec=100ms
Unit=storebox-test-kill.service
";
/// Does so again and again.
const AGAIN: &str = "
[Unit]
After=storeboxd.service
[Timer]
OnActiveSec=2s
OnUnitActiveSec=2s
AccuracySec=100ms
Unit=storebox-test-kill.service
";
/// Prints the starts that the journal knows of.
const STARTS: &str = "
[Unit]
After=storeboxd.service
[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS0
ExecStart=/usr/bin/journalctl --quiet --no-pager --list-boots
ExecStart=/usr/bin/systemctl show --property=Id listed.service
";

/// The daemon is killed: terminals wait for the next one, and none is turned away, because init holds the port (B2).
/// Then the processor goes round in circles with interrupts off, which no software can notice: the hardware watchdog
/// ends it (B6). Last, the daemon keeps dying: the machine starts anew, and the journal keeps all of it.
#[tokio::test]
async fn b2_b6_what_dies_or_hangs_is_back_by_itself() {
    let hardware = Hardware { debugger: true, ..Hardware::default() };
    let hardware = hardware.passive_unit("storebox-test-kill.service", KILL).unit("storebox-test-once.timer", ONCE);
    let mut machine = Machine::new("crashes", hardware);
    machine.start().await;
    let mut idle = Raw::connect(machine.door()).await;
    assert!(idle.is_closed(START).await, "the daemon was not killed");
    let begun = Instant::now();
    // Whoever connects now finds nobody but the socket.
    let asked = tokio::time::timeout(BACK, Terminal::newcomer(machine.door()).get("/api/local/ping").send()).await;
    match asked {
        Ok(Ok(answer)) => answer.must_be(200),
        Ok(Err(err)) => panic!("a terminal was turned away: {err}"),
        Err(_) => panic!("the daemon is not back after {BACK:?}"),
    }
    eprintln!("killed: answering again after {:.1} s", begun.elapsed().as_secs_f64());
    assert!(!machine.saw("RESET", begun), "one death is no reason to restart the machine");

    let begun = Instant::now();
    debugger::hang(&machine.debugger());
    let bitten = machine.event("WATCHDOG", begun, BITE).await;
    let reset = machine.event("RESET", begun, BITE).await;
    assert!(reset >= bitten, "the reset was somebody else's");
    eprintln!("hung: the watchdog bit after {:.1} s", bitten.as_secs_f64());
    machine.wait_for_answer(START).await;
    eprintln!("hung: answering again after {:.1} s", begun.elapsed().as_secs_f64());

    machine.hardware =
        Hardware::default().passive_unit("storebox-test-kill.service", KILL).unit("storebox-test-again.timer", AGAIN);
    machine.start().await;
    let begun = Instant::now();
    let took = machine.event("RESET", begun, GIVE_UP).await;
    eprintln!("killed again and again: the machine restarted after {:.1} s", took.as_secs_f64());

    // Without the cause all is well, and the journal, which is on the data partition, still has the earlier start.
    machine.hardware = Hardware::default().unit("storebox-test-starts.service", STARTS);
    machine.start().await;
    machine.wait_for_console("Id=listed.service", START).await;
    let console = machine.console();
    // `-1 01ab… Sat 2026-11-21 …`: how many starts ago, and its identifier.
    let earlier = console.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("-1") && words.next().is_some_and(|id| id.len() == 32)
    });
    assert!(earlier, "the journal does not have the start before this one");
}
