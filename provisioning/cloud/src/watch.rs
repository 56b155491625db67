//! What the cloud does unasked: it notices boxes that fall silent, and delivers alerts. Every instance does both; what comes
//! of it is decided in the database, so that it is done once.

use std::sync::Arc;
use std::time::Duration;

use storebox_core::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::api::Cloud;
use crate::clock::now;
use crate::database::DatabaseError;
use crate::fleet::alerts::{self, ATTEMPTS};
use crate::fleet::{Rows, short};

/// How often alerts are looked for that are to be delivered.
const DELIVER_EVERY: Duration = Duration::from_secs(2);
/// How long one attempt to deliver may take: less than the alert is claimed for.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Alerts one instance delivers at once; a webhook that answers slowly shall not hold up the others.
const AT_ONCE: usize = 8;

/// Notices boxes that fall silent, until the process ends.
pub async fn watch(cloud: Arc<Cloud>) {
    let mut heartbeats = interval(Duration::from_secs(u64::from(cloud.terms.heartbeat_s)));
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        heartbeats.tick().await;
        if let Err(error) = look(&cloud).await {
            log::warn!("the fleet was not looked at: {error}");
        }
    }
}

async fn look(cloud: &Cloud) -> Result<(), DatabaseError> {
    let terms = &cloud.terms;
    let since = cloud.database.transact(|rows| alerts::watch(rows, terms, now())).await?;
    let before = Timestamp::from_millis(now().as_millis().saturating_sub(terms.silence_ms()));
    if since >= before {
        return Ok(());
    }
    for id in cloud.database.look(|rows| rows.silent(before)).await? {
        if cloud.database.transact(|rows| alerts::lose(rows, id, since, terms, now())).await? {
            log::warn!("the box {} cannot be reached", short(id));
        }
    }
    Ok(())
}

/// Delivers alerts, until the process ends.
pub async fn deliver(cloud: Arc<Cloud>) {
    loop {
        sleep(DELIVER_EVERY).await;
        let due = match cloud.database.look(|rows| rows.due_alerts(now())).await {
            Ok(due) => due,
            Err(error) => {
                log::warn!("alerts were not looked for: {error}");
                continue;
            }
        };
        let mut under_way = JoinSet::new();
        for id in due {
            if under_way.len() >= AT_ONCE {
                under_way.join_next().await;
            }
            let cloud = Arc::clone(&cloud);
            under_way.spawn(async move {
                if let Err(error) = attempt(&cloud, &id).await {
                    log::warn!("the alert {id} was not delivered: {error}");
                }
            });
        }
        under_way.join_all().await;
    }
}

/// Tries to deliver one alert, if no other instance does.
async fn attempt(cloud: &Cloud, id: &str) -> Result<(), DatabaseError> {
    let claimed = cloud.database.transact(|rows| alerts::claim(rows, id, now())).await?;
    let Some((alert, store)) = claimed else { return Ok(()) };
    let delivered = timeout(ATTEMPT, cloud.delivery.deliver(&alert, &store, &cloud.terms.sync_url)).await;
    let error = match delivered {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("it took more than {} s", ATTEMPT.as_secs())),
    };
    match &error {
        None => log::info!("delivered {id}"),
        Some(error) if alert.attempts >= ATTEMPTS => log::error!("gave up the alert {id}: {error}"),
        Some(error) => log::warn!("attempt {} to deliver the alert {id}: {error}", alert.attempts),
    }
    let is_delivered = error.is_none();
    cloud.database.transact(|rows| alerts::conclude(rows, id, alert.attempts, is_delivered, now())).await
}
