//! Query strings, with problems in the shape of all others.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::problem::Problem;

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
