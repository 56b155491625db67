//! Query strings, with problems in the shape of all others.

use std::fmt::Display;
use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use storebox_core::day::{Day, NotADay};

use super::problem::Problem;

/// A number of the query within its range, or the default.
///
/// # Errors
/// A [`Problem`] that names the parameter and the range.
pub fn within<N: PartialOrd + Display>(
    name: &str,
    given: Option<N>,
    range: RangeInclusive<N>,
    default: N,
) -> Result<N, Problem> {
    match given {
        None => Ok(default),
        Some(number) if range.contains(&number) => Ok(number),
        Some(_) => Err(Problem::invalid(name, format!("must be between {} and {}", range.start(), range.end()))),
    }
}

/// The query, read into a type. As an extractor it says what is wrong with one that cannot be.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|rejection| {
            // axum puts its own words in front; the cause names the parameter.
            let mut cause: &dyn std::error::Error = &rejection;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            Problem::invalid("query", cause.to_string())
        })
    }
}

/// A business day of the query.
///
/// # Errors
/// A [`Problem`] that names the parameter.
pub fn day(name: &str, text: Option<&str>) -> Result<Option<Day>, Problem> {
    text.map(str::parse).transpose().map_err(|error: NotADay| Problem::invalid(name, error.to_string()))
}
