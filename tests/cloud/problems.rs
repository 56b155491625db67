//! Every problem a cloud may answer with, as the people in the shop see it (B8, L1).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use storebox_provisioning::registration::Problem;
use storebox_tests::sample;

use crate::installed::{Installed, cloud_of};
use crate::peer::{Authority, Peer, free_port};

/// The cloud in `refusing.py`.
async fn refusing(authority: &Authority) -> Peer {
    let bundle = ["crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-outform", "DER", "-out", "cacerts.p7b"];
    authority.openssl(&bundle);
    let statuses: BTreeMap<_, _> = Problem::ALL.map(|problem| (problem.word(), problem.status())).into();
    let port = free_port();
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("cloud/refusing.py"));
    python.args([port.to_string(), serde_json::to_string(&statuses).unwrap()]);
    Peer::start(&authority.path(""), port, &mut python).await
}

/// One box is given one claim after the other, each refused in its own way.
async fn refuse(problems: &[(String, Problem, String)]) {
    let authority = Authority::new("refusing");
    let cloud = refusing(&authority).await;
    let first = problems.first().map(|(token, ..)| authority.site(cloud.port(), token)).unwrap();
    let installed = Installed::start(&first).await;
    let mut till = installed.till().await;
    for (token, problem, reason) in problems {
        installed.write_site(&authority.site(cloud.port(), token));
        let status = installed.says(&format!("{} {}", problem.title(), problem.advice())).await;
        assert!(status.contains("[ok] The cloud answers") && status.contains("[!!] The claim is accepted"), "{status}");
        installed.logs(reason, 1).await;
        let shown = cloud_of(&mut till).await;
        assert_eq!((&shown["problem"], &shown["advice"]), (&problem.title().into(), &problem.advice().into()));
        let page = till.get("/").await;
        page.must_be(200);
        let page = String::from_utf8_lossy(&page.bytes).into_owned();
        assert!(page.contains(problem.title()) && page.contains(problem.advice()), "{page}");
        till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_l1_every_problem_is_shown_with_what_to_do_and_the_box_sells_on() {
    let said = |problem: Problem| {
        let word = problem.word();
        (format!("problem-{word}"), problem, format!("the other cloud says {word}"))
    };
    let all: Vec<_> = Problem::ALL.into_iter().map(said).collect();
    let (first, second) = all.split_at(all.len() / 2);
    tokio::join!(refuse(first), refuse(second));
}

/// A proxy, a load balancer or an EST server of another make knows nothing of our problems.
#[tokio::test(flavor = "multi_thread")]
async fn b8_a_refusal_that_is_no_problem_counts_by_its_status() {
    let by_status = [
        (401, Problem::ClaimUnknown),
        (403, Problem::WrongCertificate),
        (429, Problem::Busy),
        (500, Problem::Busy),
        (418, Problem::RequestRefused),
        (302, Problem::RequestRefused),
    ];
    let all =
        by_status.map(|(status, problem)| (format!("status-{status}"), problem, format!("the cloud answers {status}")));
    refuse(&all).await;
}
