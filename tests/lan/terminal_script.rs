//! A terminal that shares no code with the box: Python's standard library and S2's own client logic (L2, L14, L19).

use storebox_tests::{RunningBox, Shop};
use tokio::process::Command;

async fn run_script(running: &RunningBox, secret: &str) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/lan/terminal.py");
    let output = Command::new("python3")
        .args([script, &running.door().address().to_string(), secret])
        .output()
        .await
        .expect("python3 is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn l2_s2_11_3_runs_step_by_step_from_a_terminal_written_elsewhere() {
    let mut shop = Shop::open("script").await;
    let (code, said) = run_script(&shop.running, &shop.running.secret()).await;
    assert_eq!(code, Some(0), "{said}");
    for step in 1..=5 {
        assert!(said.contains(&format!("11.3 step {step}: ok")), "{said}");
    }
    for step in 1..=5 {
        assert!(said.contains(&format!("11.1 step {step}: ok")), "{said}");
    }
    let orders = shop.all_orders().await;
    let ours = orders.iter().filter(|order| order["tableId"] == "11.3").count();
    assert_eq!(ours, 1, "{orders:?}");
}

#[tokio::test]
async fn l19_the_script_does_not_pair_with_a_wrong_secret() {
    let shop = Shop::open("script").await;
    let (code, said) = run_script(&shop.running, "WRONG").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("401"), "{said}");
}
