//! How alerts reach people: by mail (SMTP), and by requests to webhooks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use lettre::address::{Address, Envelope};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use serde_json::{Value, json};
use storebox_core::network::CloudUrl;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::fleet::alerts::{AlertRow, Event, Target, Webhook};
use crate::fleet::{StoreRow, short};

/// How long a mail server or a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Mail servers and webhooks, as this instance knows them.
pub struct Delivery {
    mail: Option<Mail>,
    agent: Agent,
}

struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl Delivery {
    /// Mail goes through this server, from this address; without a server there is none. Servers and webhooks are believed
    /// by the system's authorities, or by those in the file that `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// [`NotAMailServer`].
    pub fn new(smtp: Option<&str>, from: Option<&str>) -> Result<Self, NotAMailServer> {
        let mail = match (smtp, from) {
            (None, None) => None,
            (Some(_), None) => return Err(NotAMailServer("--smtp needs --mail-from".to_owned())),
            (None, Some(_)) => return Err(NotAMailServer("--mail-from needs --smtp".to_owned())),
            (Some(url), Some(from)) => Some(Mail::new(url, from)?),
        };
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build();
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("storebox-cloud/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls);
        Ok(Self { mail, agent: config.build().into() })
    }

    /// Whether it can send mail.
    pub const fn sends_mail(&self) -> bool {
        self.mail.is_some()
    }

    /// Delivers an alert for a store.
    ///
    /// # Errors
    /// [`NotDelivered`].
    pub async fn deliver(&self, alert: &AlertRow, store: &StoreRow, cloud: &CloudUrl) -> Result<(), NotDelivered> {
        match &alert.target {
            Target::Mail(address) => {
                let mail = self.mail.as_ref().ok_or_else(|| NotDelivered("this cloud sends no mail".to_owned()))?;
                let failed = |error: &dyn fmt::Display| NotDelivered(error.to_string());
                let message = message(alert, store, cloud, &mail.from, address.address());
                let message = message.write_to_vec().map_err(|error| failed(&error))?;
                let envelope = Envelope::new(Some(mail.from.clone()), vec![address.address().clone()]);
                let envelope = envelope.map_err(|error| failed(&error))?;
                mail.transport.send_raw(&envelope, &message).await.map_err(|error| failed(&error))?;
                Ok(())
            }
            Target::Webhook(webhook) => {
                let (agent, webhook) = (self.agent.clone(), webhook.clone());
                let (name, body) = (alert.name(), body(alert, store).to_string());
                let posted = tokio::task::spawn_blocking(move || post(&agent, &webhook, &name, &body));
                posted.await.map_err(|error| NotDelivered(error.to_string()))?
            }
        }
    }
}

impl Mail {
    fn new(url: &str, from: &str) -> Result<Self, NotAMailServer> {
        // A URL may hold a password, so it is not repeated.
        let server = Uri::from_str(url).ok();
        let authority = server.as_ref().and_then(Uri::authority);
        let Some(authority) = authority else {
            return Err(NotAMailServer("--smtp is no URL like smtps://USER:PASSWORD@HOST:PORT".to_owned()));
        };
        let is_open = url.starts_with("smtp:") && !url.contains("tls=required");
        let is_near = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        if is_open && !is_near && authority.as_str().contains('@') {
            return Err(NotAMailServer(
                "--smtp would send its password in the open: write smtps://, or ?tls=required after the port"
                    .to_owned(),
            ));
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let transport = transport.map_err(|error| NotAMailServer(format!("--smtp cannot be used: {error}")))?;
        let from = from.parse().map_err(|error| NotAMailServer(format!("--mail-from is no address: {error}")))?;
        Ok(Self { transport: transport.timeout(Some(PATIENCE)).build(), from })
    }
}

/// An alert as a mail. If it comes twice, both have the same `Message-ID`.
fn message(
    alert: &AlertRow,
    store: &StoreRow,
    cloud: &CloudUrl,
    from: &Address,
    to: &Address,
) -> MessageBuilder<'static> {
    // A line break in a name would begin another header.
    let name = store.name.as_str().replace(char::is_control, " ");
    let (subject, first) = match alert.event {
        Event::BoxUnreachable => (
            format!("Box unreachable: {name}"),
            "The store's box has missed its last heartbeats.\n\
             It sells on without the cloud.\n\
             See whether it has power, and whether the store's internet works.",
        ),
        Event::BoxReachable => {
            (format!("Box reachable again: {name}"), "The store's box shows that it is alive again.")
        }
    };
    let body = format!(
        "{first}\n\n\
         Store            {name}\n\
         Box              {}\n\
         Last heard of    {}\n\
         Noticed          {}\n\
         Fleet            {cloud}\n",
        short(alert.device),
        alert.seen_at,
        alert.at
    );
    let id = format!("{}@{}", alert.id(), cloud.host().trim_matches(['[', ']']));
    MessageBuilder::new()
        .from(("Store boxes".to_owned(), from.to_string()))
        .to(to.to_string())
        .subject(subject)
        .message_id(id)
        .date(alert.at.as_millis() / 1_000)
        // RFC 3834: nobody's holiday answers it.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(body)
}

/// An alert as a webhook has it.
fn body(alert: &AlertRow, store: &StoreRow) -> Value {
    json!({
        "id": alert.name(),
        "event": alert.event,
        "at": alert.at,
        "store": { "id": alert.store, "name": store.name },
        "device": { "id": alert.device, "seenAt": alert.seen_at, "epoch": store.epoch },
    })
}

fn post(agent: &Agent, webhook: &Webhook, name: &str, body: &str) -> Result<(), NotDelivered> {
    let request = agent.post(webhook.as_str()).content_type("application/json").header("Idempotency-Key", name);
    match request.send(body) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(NotDelivered(format!("the webhook answered {}", answer.status()))),
        Err(error) => Err(NotDelivered(error.to_string())),
    }
}

/// Why an alert was not delivered.
#[derive(Debug)]
pub struct NotDelivered(String);

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotDelivered {}

/// What was said of the mail server cannot be used.
#[derive(Debug)]
pub struct NotAMailServer(String);

impl fmt::Display for NotAMailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAMailServer {}

#[cfg(test)]
mod tests {
    use storebox_core::id::StoreId;
    use storebox_core::text::Name;
    use storebox_core::time::Timestamp;
    use storebox_provisioning::identity::BoxId;

    use super::*;
    use crate::fleet::alerts::{Alerts, MailAddress};

    #[test]
    fn u15_a_stores_name_cannot_add_a_header_to_a_mail() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let target = Target::Mail(MailAddress::try_from("shop@example.com".to_owned()).unwrap());
        let (store, device) = (StoreId::from_bytes([9; 16]), BoxId::new([1; 32]));
        let (event, outage, attempts) = (Event::BoxUnreachable, 1, 1);
        let alert = AlertRow { event, store, device, outage, at: now, seen_at: now, target, attempts, next_at: now };
        let name = Name::new("Shop\nBcc: thief@example.com".to_owned()).unwrap();
        let (configuration, alerts) = (std::collections::BTreeMap::new(), Alerts::default());
        let store = StoreRow { name, register: Name::cut("A"), configuration, epoch: 1, holder: None, alerts };
        let cloud = CloudUrl::new("https://cloud.example").unwrap();
        let address = Address::from_str("shop@example.com").unwrap();
        let mail = message(&alert, &store, &cloud, &address, &address).write_to_string().unwrap();
        let (headers, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(headers.contains("Subject: Box unreachable: Shop Bcc: thief@example.com\r\n"), "{mail}");
        assert!(!headers.contains("\nBcc:") && body.contains("0101-0101-0101-0101"), "{mail}");
    }

    #[test]
    fn u15_a_mail_server_is_refused_that_would_show_its_password() {
        let delivery = |smtp| Delivery::new(Some(smtp), Some("fleet@cloud.example"));
        for good in ["smtps://a:b@mail.example", "smtp://a:b@mail.example:587?tls=required", "smtp://localhost:2525"] {
            assert!(delivery(good).is_ok_and(|delivery| delivery.sends_mail()), "{good}");
        }
        for wrong in ["smtp://a:b@mail.example:25", "mail.example", "http://mail.example", ""] {
            let Err(error) = delivery(wrong) else { panic!("{wrong}") };
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
        assert!(Delivery::new(Some("smtps://mail.example"), None).is_err());
        assert!(Delivery::new(None, None).is_ok_and(|delivery| !delivery.sends_mail()));
    }
}
