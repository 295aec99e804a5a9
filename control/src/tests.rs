//! The whole control plane by its real router, on SQLite always and on PostgreSQL when `TEST_POSTGRES_URL` is
//! set, against an edge that checks signatures and does as it is told.

mod content;
mod credentials;
mod data_plane;
mod edge;
mod input;
mod logs;
mod replication;
mod shares;
mod world;
