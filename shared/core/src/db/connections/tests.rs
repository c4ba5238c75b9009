use super::*;
use crate::db::BEGIN;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// A database that answers what it is told to, and notices two statements at once on a connection.
#[derive(Default)]
struct Script {
    answers: RefCell<VecDeque<Result<(), &'static str>>>,
    ran: RefCell<Vec<(usize, String)>>,
    opened: Cell<usize>,
    open: Rc<Cell<usize>>,
    slept: Cell<Duration>,
    /// How often a statement is pending before it is done.
    is_slow: Cell<bool>,
}

struct Fake {
    number: usize,
    is_busy: Cell<bool>,
    open: Rc<Cell<usize>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

impl Driver for Rc<Script> {
    type Connection = Fake;

    async fn open(&self) -> Result<Fake, String> {
        self.opened.set(self.opened.get() + 1);
        self.open.set(self.open.get() + 1);
        Ok(Fake {
            number: self.opened.get(),
            is_busy: Cell::new(false),
            open: self.open.clone(),
        })
    }

    async fn run(&self, connection: &Fake, sql: &str, _: &[Value]) -> Result<Vec<Row>, String> {
        assert!(!connection.is_busy.replace(true), "two statements at once");
        self.ran
            .borrow_mut()
            .push((connection.number, sql.to_owned()));
        let mut is_pending = self.is_slow.get();
        poll_fn(|_| match std::mem::take(&mut is_pending) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
        connection.is_busy.set(false);
        match self.answers.borrow_mut().pop_front() {
            Some(Err(text)) => Err(text.to_owned()),
            _ => Ok(Vec::new()),
        }
    }

    async fn sleep(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
        let mut is_pending = true;
        poll_fn(|context| match std::mem::take(&mut is_pending) {
            true => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }
}

const LOCKED: Result<(), &str> = Err("database is locked");
const EXPIRED: Result<(), &str> = Err("The stream has expired due to inactivity");
const RESET: Result<(), &str> = Err("connection reset by peer");

fn scripted(answers: &[Result<(), &'static str>]) -> (Rc<Script>, Rc<Connections<Rc<Script>>>) {
    let script = Rc::new(Script::default());
    script.answers.borrow_mut().extend(answers.iter().copied());
    (script.clone(), Connections::new(script))
}

#[test]
fn what_is_sent_again_and_on_which_connection() {
    let (read, write) = ("select 1", "delete from x");
    for (answers, sql, connections, status) in [
        (&[Ok(())][..], read, &[1][..], 200),
        (&[LOCKED, LOCKED, Ok(())], write, &[1, 1, 1], 200),
        (&[EXPIRED, Ok(())], read, &[1, 2], 200),
        (&[EXPIRED, Ok(())], write, &[1, 2], 200),
        (&[RESET, Ok(())], read, &[1, 2], 200),
        (&[RESET], write, &[1], 503),
        (&[Err("interrupted"), Ok(())], read, &[1, 2], 200),
        (&[RESET, RESET], read, &[1, 2], 503),
        (&[RESET, LOCKED, Ok(())], read, &[1, 2, 2], 200),
        (&[Err("no such table: x")], read, &[1], 500),
        (&[Err("database or disk is full")], write, &[1], 503),
    ] {
        let (script, database) = scripted(answers);
        let told = pollster::block_on(database.query(sql, &[]));
        let got = told.map_or_else(|error| error.kind().wire().0, |_| 200);
        assert_eq!(got, status, "{answers:?}");
        let used: Vec<usize> = script.ran.borrow().iter().map(|(used, _)| *used).collect();
        assert_eq!(used, connections, "{answers:?}");
    }
}

#[test]
fn a_busy_database_is_waited_for_with_a_bound() {
    let (script, database) = scripted(&[LOCKED; 1000]);
    let error = pollster::block_on(database.query("select 1", &[])).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let slept = script.slept.get();
    assert!(slept >= BUSY_LIMIT && slept < BUSY_LIMIT * 2, "{slept:?}");
}

#[test]
fn a_transaction_begins_again_but_is_never_continued_elsewhere() {
    let (script, database) = scripted(&[LOCKED, RESET, Ok(()), RESET]);
    pollster::block_on(async {
        let transaction = database.begin(BEGIN).await.unwrap();
        let error = transaction.query("delete from x", &[]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        transaction.roll_back().await;
    });
    let ran: Vec<String> = script
        .ran
        .borrow()
        .iter()
        .map(|(used, sql)| format!("{used} {sql}"))
        .collect();
    let expected = [
        "1 begin immediate",
        "1 begin immediate",
        "2 begin immediate",
        "2 delete from x",
        "2 rollback",
    ];
    assert_eq!(ran, expected);
}

#[test]
fn a_commit_waits_for_readers_and_a_lost_one_says_that_nobody_knows() {
    let (_, database) = scripted(&[Ok(()), LOCKED, LOCKED, Ok(())]);
    pollster::block_on(async { database.begin(BEGIN).await.unwrap().commit().await }).unwrap();
    let (script, database) = scripted(&[Ok(()), RESET]);
    let error = pollster::block_on(async { database.begin(BEGIN).await.unwrap().commit().await });
    assert_eq!(error.unwrap_err().message(), UNKNOWN);
    assert_eq!(script.open.get(), 0, "it is not used again");
}

#[test]
fn many_at_once_share_a_few_connections_and_none_runs_two_statements() {
    let (script, database) = scripted(&[]);
    script.is_slow.set(true);
    let mut context = Context::from_waker(Waker::noop());
    let mut all: Vec<_> = (0..40)
        .map(|_| Box::pin(database.query("select 1", &[])))
        .collect();
    let mut done = 0;
    for _ in 0..100 {
        all.retain_mut(|one| match one.as_mut().poll(&mut context) {
            Poll::Ready(answer) => {
                done += usize::from(answer.is_ok());
                false
            }
            Poll::Pending => true,
        });
        assert!(script.open.get() <= STATEMENTS);
    }
    assert_eq!(done, 40);
    assert_eq!(script.opened.get(), STATEMENTS);
}

#[test]
fn a_statement_that_is_left_takes_its_connection_with_it() {
    let (script, database) = scripted(&[]);
    script.is_slow.set(true);
    let mut context = Context::from_waker(Waker::noop());
    let mut left = Box::pin(database.query("select 1", &[]));
    assert!(left.as_mut().poll(&mut context).is_pending());
    drop(left);
    assert_eq!(script.open.get(), 0);
    script.is_slow.set(false);
    pollster::block_on(database.query("select 1", &[])).unwrap();
    assert_eq!(script.opened.get(), 2);
}
