//! The dashboard dialect: seed 001, `/api/v1/...`. Errors are `{error, error_code, request_id}`,
//! validation adds `errors: [{instancePath, message}]`, lists are `{total, quantity, records}`.

pub mod embed;
pub mod error;
pub mod manage;
pub mod portal;
pub mod public;
