//! Puts cases into the order of their time, on disk: files are read account by account, but
//! budgets and incidents depend on what came before, anywhere. Holds no case in memory.

use anyhow::Context as _;
use rusqlite::{Connection, params};

use super::EventComparison;

/// Cases on their way into order. Its file has no name and goes away with it.
#[derive(Debug)]
pub struct Spool {
    db: Connection,
}

impl Spool {
    /// Opens an empty one, in the folder for temporary files (`SQLITE_TMPDIR`, else `TMPDIR`).
    ///
    /// # Errors
    /// When there is no place for it.
    pub fn open() -> anyhow::Result<Self> {
        let open = || {
            let db = Connection::open("")?;
            db.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                 CREATE TABLE cases (number INTEGER PRIMARY KEY, time INTEGER, key TEXT, body TEXT);
                 BEGIN",
            )?;
            Ok::<_, rusqlite::Error>(db)
        };
        Ok(Self { db: open().context("cannot make a temporary file for the findings")? })
    }

    /// Puts a case in.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn put(&mut self, case: &EventComparison) -> anyhow::Result<()> {
        let body = serde_json::to_string(case)?;
        self.db
            .prepare_cached("INSERT INTO cases (time, key, body) VALUES (?, ?, ?)")
            .and_then(|mut insert| insert.execute(params![case.time.as_microsecond(), case.key, body]))
            .context("cannot keep the findings in a temporary file\n\nhint: `TMPDIR` says where")?;
        Ok(())
    }

    /// Hands out every case by its time; records of one event stand together.
    ///
    /// # Errors
    /// When the file cannot be read back.
    pub fn each(self, mut on_report: impl FnMut(EventComparison)) -> anyhow::Result<()> {
        let mut select = self.db.prepare("SELECT body FROM cases ORDER BY time, key, number")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            on_report(serde_json::from_str(row.get_ref(0)?.as_str()?)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::backtest::tests::case;

    #[test]
    fn cases_come_back_whole_and_by_their_time() {
        let mut spool = Spool::open().unwrap();
        let cases = [case(30, "mallory"), case(10, "mallory"), case(20, "alice")];
        cases.iter().for_each(|case| spool.put(case).unwrap());
        let mut back = Vec::new();
        spool.each(|case| back.push(case)).unwrap();
        assert_eq!(back, [cases[1].clone(), cases[2].clone(), cases[0].clone()]);
    }
}
