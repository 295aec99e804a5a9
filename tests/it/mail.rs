//! The portal while its mail server, or the control plane, is down or slow.

use crate::portal::{Context, Person};
use crate::tenant::Tenant;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use tests::{Database, Stack, stack::within};

crate::own_tests![mail_and_control_plane_fail];

/// A request is answered within this, whatever the mail server does.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The longest pause between tries, and then some; a mail server that hangs is given up after 20 s.
const LATER: Duration = Duration::from_secs(90);
/// Longer than it takes until a mail that was wrongly taken for lost is sent again.
const SETTLED: Duration = Duration::from_secs(5);

fn mail_and_control_plane_fail() {
    let mut stack = Stack::start(Database::Sqlite).expect("an installation");
    mail_arrives_once_after_the_server_was_down(&mut stack);
    mail_arrives_once_after_the_server_hung(&stack);
    members_go_on_without_the_control_plane(&stack);
}

#[track_caller]
fn ask_at_once(person: &Person) {
    let begun = Instant::now();
    person.ask().expect(202);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

fn mail_arrives_once_after_the_server_was_down(stack: &mut Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let person = Person::new(stack, &tenant, "down");
    context.add(&person.email);
    stack.mail_mut().stop();
    ask_at_once(&person);
    // It has been tried, and failed.
    within(LATER, "a failed try", || {
        stack.log("logs/control.log").contains("a mail was not sent").then_some(())
    });
    stack.mail_mut().revive().expect("the mail server");
    let code = within(LATER, "the mail", || person.codes(stack).first().cloned());
    // Past the next try, there would be another.
    thread::sleep(SETTLED);
    assert_eq!(person.codes(stack).len(), 1);
    person.verify(&code).expect(200);
}

fn mail_arrives_once_after_the_server_hung(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let person = Person::new(stack, &tenant, "slow");
    context.add(&person.email);
    stack.mail().signal(Signal::SIGSTOP).expect("the mail server");
    ask_at_once(&person);
    let failures = stack.log("logs/control.log").matches("took too long").count();
    within(LATER, "a try that took too long", || {
        (stack.log("logs/control.log").matches("took too long").count() > failures).then_some(())
    });
    stack.mail().signal(Signal::SIGCONT).expect("the mail server");
    let code = within(LATER, "the mail", || person.codes(stack).first().cloned());
    // Past the next try, there would be another.
    thread::sleep(SETTLED);
    assert_eq!(person.codes(stack).len(), 1);
    person.verify(&code).expect(200);
}

/// What the edge holds of contexts and rows is served on; nobody new comes in.
fn members_go_on_without_the_control_plane(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let person = Person::new(stack, &tenant, "stays");
    context.add(&person.email);
    context.bind(&json!([]));
    let mut person = person.sign_in(stack);
    let rows = person.execute(&context.id, &json!({})).expect(200).json();
    let control = Pid::from_raw(stack.described_number("control_pid"));
    kill(control, Signal::SIGSTOP).expect("the control plane");
    let refreshed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        assert_eq!(person.dashboards().expect(200).json()["total"], 1);
        person.resolve(&context.id).expect(200);
        let kept = person.execute(&context.id, &json!({})).expect(200).json();
        assert_eq!(kept["panels"], rows["panels"]);
    }));
    kill(control, Signal::SIGCONT).expect("the control plane");
    if let Err(panic) = refreshed {
        std::panic::resume_unwind(panic);
    }
    person.refresh().expect(200);
    person.execute(&context.id, &json!({})).expect(200);
}
