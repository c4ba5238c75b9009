//! What workers do: they take operations, report them, say things twice, and say what is not so.

use super::History;
use windlass_tests::{Value, Windlass, json};

impl History {
    /// A worker takes operations, and keeps what it took before.
    pub fn lease(&mut self, windlass: &Windlass) {
        self.take(windlass);
        for lease in self.leases.clone() {
            if self.dice.below(3) == 0 {
                let path = format!("/operations/leases/{lease}/heartbeat");
                self.call(windlass, ("POST", &path), &Value::Null, &[200, 409]);
            }
        }
    }

    /// A worker reports some of what it has.
    pub fn report_operation(&mut self, windlass: &Windlass) {
        let mut kept = Vec::new();
        for lease in std::mem::take(&mut self.leases) {
            match self.dice.below(5) {
                0 => kept.push(lease),
                outcome => self.tell(windlass, &lease, outcome),
            }
        }
        self.leases = kept;
    }

    /// Somebody reports what they never had, or something else than before.
    pub fn lie(&mut self, windlass: &Windlass) {
        let at = self.dice.below(self.reported.len().max(1));
        let lease = match self.reported.get(at) {
            Some(lease) if self.dice.below(2) == 0 => lease.clone(),
            _ => "nobody-has-this".to_owned(),
        };
        let body = json!({ "status": "succeeded", "result": "another one" });
        let path = format!("/operations/leases/{lease}/result");
        self.call(windlass, ("POST", &path), &body, &[409]);
        let both = json!({ "results": [
            { "lease_id": lease, "status": "succeeded", "result": 7 },
            { "lease_id": "nobody-has-this", "status": "failed", "error": { "message": "no" } },
        ] });
        self.call(
            windlass,
            ("POST", "/operations/leases/results"),
            &both,
            &[200],
        );
        let path = format!("/operations/leases/{lease}/heartbeat");
        self.call(windlass, ("POST", &path), &Value::Null, &[409]);
    }

    /// A worker that does all there is, until nothing is left to be done.
    pub fn work_to_the_end(&mut self, windlass: &Windlass) {
        for _ in 0..50 {
            windlass.run_pending_work();
            self.take(windlass);
            if self.leases.is_empty() {
                return;
            }
            for lease in std::mem::take(&mut self.leases) {
                self.tell(windlass, &lease, 1);
            }
        }
        panic!("operations have no end\n{}", self.told());
    }

    fn take(&mut self, windlass: &Windlass) {
        let body = json!({
            "worker": "north", "queues": ["central_deployment_agent"], "max": 5, "wait": 0,
            "lease_seconds": 600,
        });
        let taken = self.call(windlass, ("POST", "/operations/lease"), &body, &[200]);
        let taken = taken.unwrap_or_default();
        let items = taken["items"].as_array().into_iter().flatten();
        let leases = items.filter_map(|item| item["lease_id"].as_str());
        self.leases.extend(leases.map(str::to_owned));
    }

    /// Reports an operation, twice. 409: it was taken away, by whoever stopped its execution.
    fn tell(&mut self, windlass: &Windlass, lease: &str, outcome: usize) {
        let failed = |message: &str, recoverable: bool| json!({ "status": "failed", "error": { "message": message, "recoverable": recoverable } });
        let body = match outcome {
            2 => failed("no dock", true),
            3 => failed("no boat", false),
            _ => json!({ "status": "succeeded", "result": null }),
        };
        let path = format!("/operations/leases/{lease}/result");
        let told = self.call(windlass, ("POST", &path), &body, &[204, 409]);
        // Said once more it is the same, unless the execution went meanwhile.
        let again: &[u16] = if told.is_some() { &[204, 409] } else { &[409] };
        self.call(windlass, ("POST", &path), &body, again);
        self.reported.push(lease.to_owned());
    }
}
