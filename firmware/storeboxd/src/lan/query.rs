//! Query strings, with problems in the shape of all others.

use std::fmt::Display;
use std::ops::RangeInclusive;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

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

/// The query, or what is wrong with it.
///
/// # Errors
/// A [`Problem`] that names the parameter.
pub fn checked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|rejection| {
        // axum puts its own words in front; the cause names the parameter.
        let mut cause: &dyn std::error::Error = &rejection;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Problem::invalid("query", cause.to_string())
    })
}
