//! `/api/reports/…`: what was sold and taken, the drawer, and the end of the day (L12).

mod request;
mod response;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use storebox_core::command::Command;
use storebox_core::day::Day;
use storebox_core::id::DrawerMovementId;
use storebox_core::limits::{DAY_CLOSES_PER_ANSWER, REPORT_DAYS, REPORT_ITEM_DAYS, REPORT_ROWS};
use storebox_core::people::Permission;
use storebox_core::report::{self, Dimension, DrawerKind, DrawerMovement, Part, Total};
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use response::{DayCloseBody, DrawerMovementBody};

use super::auth::Terminal;
use super::body::Body;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, answer, query};
use request::{By, ClosesQuery, DayQuery, EndOfDay, Float, Format, MoveCash, SalesQuery};
use response::{DayBody, PartBody, PartsOfDay, RunningBody};

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(report_day))
        .routes(routes!(close_day))
        .routes(routes!(list_day_closes))
        .routes(routes!(show_day_close))
        .routes(routes!(report_sales))
        .routes(routes!(count_float))
        .routes(routes!(move_cash))
}

/// Report a day (X report)
///
/// Without a day: today so far, with everything since the last end of a day and what should be in the drawer.
#[utoipa::path(
    get, path = "/api/reports/day", tag = "reports", params(DayQuery),
    responses(
        (status = 200, description = "The day's totals", content((DayBody = "application/json"), (String = "text/csv"))),
        ReadProblems,
    )
)]
async fn report_day(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<DayQuery>,
) -> Result<Response, Problem> {
    terminal.must(Permission::Reports)?;
    let today = api.in_force().settings.calendar().day(api.store.now());
    let day = query.day()?.unwrap_or(today);
    let read = move |view: &crate::store::View| {
        let of = |by| view.totals(day, day, by);
        let parts = PartsOfDay {
            whole: of(Dimension::Whole)?,
            hours: of(Dimension::Hour)?,
            categories: of(Dimension::Category)?,
            tenders: of(Dimension::Tender)?,
            employees: of(Dimension::Employee)?,
            order_types: of(Dimension::OrderType)?,
            taxes: of(Dimension::Tax)?,
        };
        Ok((parts, if day == today { Some(view.running_day()?) } else { None }))
    };
    let (parts, running) = api.store.read(read).await?;
    if query.format() == Format::Csv {
        return Ok(csv(&format!("day-{day}"), &response::day_table(&parts, api.in_force().settings.currency)));
    }
    Ok(Json(DayBody::new(day, parts, running.as_ref().map(RunningBody::new))).into_response())
}

/// End the business day (Z report)
///
/// It holds everything since the last one, and gets the next number. It never changes.
#[utoipa::path(
    post, path = "/api/reports/day/close", tag = "reports", request_body = EndOfDay,
    params(KeyHeader),
    responses((status = 201, body = DayCloseBody, description = "The end of the day, durable"), Conflict, WriteProblems)
)]
async fn close_day(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<EndOfDay>) -> Result<Response, Problem> {
    let (wish, rest) = body.split();
    let command = Command::Report(report::Command::CloseDay(wish.into_wish(api.store.now())));
    api.carry_out(&terminal, command, rest).await
}

/// List ends of days
///
/// Oldest first, after the number in `after`. Repeat with the number of `X-Cursor` while `X-More` is `true`.
#[utoipa::path(
    get, path = "/api/reports/day/closes", tag = "reports", params(ClosesQuery),
    responses(
        (status = 200, body = Vec<DayCloseBody>, description = "The ends of days", headers(
            ("x-cursor" = String, description = "Where to go on"),
            ("x-more" = bool, description = "Whether there is more to fetch at once"),
        )),
        ReadProblems,
    )
)]
async fn list_day_closes(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ClosesQuery>,
) -> Result<Response, Problem> {
    terminal.must(Permission::Reports)?;
    let limit = query::within("limit", query.limit, 1..=DAY_CLOSES_PER_ANSWER, DAY_CLOSES_PER_ANSWER)?;
    let after = query.after.unwrap_or(0);
    let (closes, more) = api.store.read(move |view| view.day_closes(after, limit)).await?;
    let last = closes.last().map_or(after, |close| close.number);
    let closes: Vec<DayCloseBody> = closes.iter().map(|close| DayCloseBody::new(close, api.store.id())).collect();
    Ok(answer::page(&closes, Some(&last.to_string()), more))
}

/// Show the end of a day
#[utoipa::path(
    get, path = "/api/reports/day/closes/{number}", tag = "reports",
    params(("number" = u32, Path, description = "Its number", minimum = 1, maximum = 4_294_967_295_u64)),
    responses((status = 200, body = DayCloseBody, description = "The end of the day"), ReadProblems)
)]
async fn show_day_close(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    terminal.must(Permission::Reports)?;
    let nothing = || Problem::not_found("no day ended with that number: see GET /api/reports/day/closes");
    let number: u32 = number.parse().map_err(|_| nothing())?;
    let close = api.store.read(move |view| view.day_close(number)).await?.ok_or_else(nothing)?;
    Ok(Json(DayCloseBody::new(&close, api.store.id())).into_response())
}

/// Report sales
///
/// By day, hour, category, item, tender, employee, order_type or tax, over at most 400 business days (31 by item).
#[utoipa::path(
    get, path = "/api/reports/sales", tag = "reports", params(SalesQuery),
    responses(
        (status = 200, description = "Totals, by what was asked", content((Vec<PartBody> = "application/json"), (String = "text/csv"))),
        ReadProblems,
    )
)]
async fn report_sales(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<SalesQuery>,
) -> Result<Response, Problem> {
    terminal.must(Permission::Reports)?;
    let (from, to) = query.days(api.in_force().settings.calendar().day(api.store.now()))?;
    let by = query.by();
    let most = if by == By::Item { REPORT_ITEM_DAYS } else { REPORT_DAYS };
    if to.0.saturating_sub(from.0) >= most {
        return Err(Problem::invalid("to", format!("a report by {} is of at most {most} days", by.word())));
    }
    let parts = api
        .store
        .read(move |view| match by.dimension() {
            Some(dimension) => view.totals(from, to, dimension),
            None => {
                let days = view.totals_by_day(from, to)?;
                Ok(days.into_iter().map(|(day, total)| Part { key: Name::cut(&day.to_string()), total }).collect())
            }
        })
        .await?;
    let parts = largest(parts);
    if query.format() == Format::Csv {
        let table = response::parts_table(by.word(), &parts, api.in_force().settings.currency);
        return Ok(csv(&format!("sales-{}-{from}-{to}", by.word()), &table));
    }
    Ok(Json(parts.iter().map(PartBody::new).collect::<Vec<_>>()).into_response())
}

/// Count the opening float
///
/// It replaces what the last end of a day left in the drawer.
#[utoipa::path(
    post, path = "/api/reports/drawer/float", tag = "reports", request_body = Float,
    params(KeyHeader),
    responses((status = 201, body = DrawerMovementBody, description = "What was recorded"), Conflict, WriteProblems)
)]
async fn count_float(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<Float>) -> Result<Response, Problem> {
    let (float, rest) = body.split();
    let movement = movement(&api, DrawerKind::Float, float.amount, None);
    api.carry_out(&terminal, Command::Report(report::Command::MoveCash(movement)), rest).await
}

/// Put cash into the drawer or take some out
///
/// Above zero it is paid in, below zero paid out.
#[utoipa::path(
    post, path = "/api/reports/drawer/movement", tag = "reports", request_body = MoveCash,
    params(KeyHeader),
    responses((status = 201, body = DrawerMovementBody, description = "What was recorded"), Conflict, WriteProblems)
)]
async fn move_cash(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<MoveCash>) -> Result<Response, Problem> {
    let (wish, rest) = body.split();
    let (kind, amount, reason) = wish.into_parts()?;
    let movement = movement(&api, kind, amount, Some(reason));
    api.carry_out(&terminal, Command::Report(report::Command::MoveCash(movement)), rest).await
}

fn movement(
    api: &Api,
    kind: DrawerKind,
    amount: storebox_core::money::Money,
    reason: Option<storebox_core::text::Note>,
) -> DrawerMovement {
    let id = DrawerMovementId::new(api.store.now(), crate::entropy::for_id());
    // When, where and by whom is filled in by whoever records it.
    let nowhere = storebox_core::id::DeviceId::from_bytes([0; 16]);
    DrawerMovement { id, kind, amount, reason, at: Timestamp::EPOCH, device: nowhere, staff: None }
}

/// At most [`REPORT_ROWS`]: the smallest beyond it become one without a key, so that the sums still hold.
fn largest(mut parts: Vec<Part>) -> Vec<Part> {
    if parts.len() <= REPORT_ROWS {
        return parts;
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.total.sums.total()));
    let rest = parts.split_off(REPORT_ROWS - 1).into_iter().fold(Total::default(), |mut sum, part| {
        sum.sums.add(&part.total.sums);
        sum
    });
    parts.push(Part { key: Name::cut(""), total: Total { name: Some(Name::cut("Other")), ..rest } });
    parts
}

/// A table to keep as a file.
fn csv(name: &str, text: &str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text.to_owned()).into_response();
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}.csv\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

impl DayQuery {
    fn day(&self) -> Result<Option<Day>, Problem> {
        query::day("day", self.day.as_deref())
    }
}
