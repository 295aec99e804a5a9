//! The whole control plane by its real router, on SQLite always and on PostgreSQL when `TEST_POSTGRES_URL` is
//! set, against an edge that checks signatures and does as it is told.

mod bulk;
mod clocks;
mod content;
mod credentials;
mod data_plane;
mod database;
mod edge;
mod embed;
mod filters;
mod input;
mod kv;
mod limits;
mod logs;
mod map;
mod migration;
mod passwords;
mod portal;
mod preview;
mod product;
mod reconcile;
mod replication;
mod session_token;
mod shares;
mod target_share;
mod usage;
mod world;

pub(crate) use world::ROOT;
