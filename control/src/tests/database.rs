//! PostgreSQL databases that tests make.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

/// An empty database of its own on the server of `TEST_POSTGRES_URL`; gone with this, since some hundred tests
/// have one of 10 MB each.
pub(super) struct OwnDatabase {
    server: String,
    name: String,
}

impl OwnDatabase {
    /// None without a server.
    pub(super) async fn new() -> Option<Self> {
        let server = std::env::var("TEST_POSTGRES_URL").ok()?;
        let name = format!("postern_{}", Uuid::now_v7().simple());
        run(&server, format!("CREATE DATABASE {name}")).await.unwrap();
        Some(Self { server, name })
    }

    pub(super) fn url(&self) -> String {
        let (before, _) = self.server.rsplit_once('/').unwrap();
        format!("{before}/{}", self.name)
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // The test's own runtime cannot be waited for from within.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(run(&server, statement))
        });
        // Whatever a test found, this is no part of it.
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("{} stays on the server: {error}", self.name);
        }
    }
}

async fn run(server: &str, statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    connection.close().await
}
