//! The built-in workflows by the mapping that stands for each, as parts.

use super::agents::Agents;
use super::checks::Checks;
use super::parameters::Parameters;
use super::part::{Act, On, Part, PartKind};
use super::scale::Scaling;
use super::{INTERFACE, Refusal};
use crate::graph::Check;

/// The parts of a built-in workflow; nothing for one that is none.
pub fn parts(workflow: &str, parameters: &Parameters) -> Result<Option<Vec<Part>>, Refusal> {
    let uninstall = || PartKind::Uninstall {
        ignore_failure: parameters.flag("ignore_failure"),
    };
    Ok(Some(match workflow {
        "install" => vec![Part::new("install", PartKind::Install)],
        "uninstall" if parameters.flag("recursive") => recursive(uninstall(), parameters),
        "uninstall" => vec![Part::new("uninstall", uninstall())],
        "reinstall" => vec![
            Part::new("reinstall-uninstall", uninstall()),
            Part::new("reinstall-install", PartKind::Install),
        ],
        operation @ ("start" | "stop" | "pull") => {
            vec![lifecycle(operation, "operation_parms", parameters)?]
        }
        "restart" => vec![
            lifecycle("stop", "stop_parms", parameters)?,
            lifecycle("start", "start_parms", parameters)?,
        ],
        "update" => super::update::UpdateOptions::of(parameters.0)?.parts(),
        "execute_operation" => {
            let operation = parameters
                .text("operation")
                .ok_or_else(|| Refusal("The parameter `operation` must be a text".into()))?;
            let kind = PartKind::Operation {
                operation: operation.to_owned(),
                inputs: parameters.inputs("operation_kwargs")?,
                allow_override: parameters.flag("allow_kwargs_override"),
                by_dependency: parameters.flag("run_by_dependency_order"),
            };
            vec![Part::new(format!("execute_operation_{operation}"), kind)]
        }
        "check_status" => vec![check(Check::Status, parameters)],
        "check_drift" => vec![check(Check::Drift, parameters)],
        "auto_heal_reinstall_node_subgraph" => heal(parameters),
        "rollback" => rollback(parameters),
        // The second one is what older versions of the built-in types map to.
        "scale_entity" | "scale" => scale(Scaling::of(parameters)?, parameters),
        "validate_agents" => vec![agents(workflow, parameters)?],
        "install_new_agents" => vec![agents(workflow, parameters)?],
        _ => return Ok(None),
    }))
}

/// Uninstalls the services of the deployment with the same parameters, then the deployment.
fn recursive(uninstall: PartKind, parameters: &Parameters) -> Vec<Part> {
    let tell = |text: &str| Part::act(Act::Tell(text.to_owned()));
    let services = PartKind::UninstallServices {
        parameters: parameters.0.clone(),
    };
    vec![
        tell("Uninstalling service deployments recursively"),
        Part::new("uninstall_services", services),
        tell("Service deployments uninstalled"),
        Part::new("uninstall", uninstall),
    ]
}

fn check(check: Check, parameters: &Parameters) -> Part {
    let name = match check {
        Check::Status => "check_status",
        Check::Drift => "check_drift",
    };
    let checks = Checks {
        check,
        by_dependency: parameters.flag("run_by_dependency_order"),
        ignore_failure: parameters.flag("ignore_failure"),
    };
    Part::new(name, PartKind::Check(checks))
}

fn agents(workflow: &str, parameters: &Parameters) -> Result<Part, Refusal> {
    let given = |name: &str| parameters.0.get(name).cloned().unwrap_or_default();
    let installs = workflow == "install_new_agents" && given("install") != false;
    let inputs = [
        "install_agent_timeout",
        "manager_ip",
        "manager_certificate",
        "stop_old_agent",
    ];
    let inputs = inputs.map(|name| (name.to_owned(), given(name)));
    let methods = parameters.texts("install_methods")?;
    let agents = Agents {
        install_methods: (!given("install_methods").is_null()).then_some(methods),
        is_selected: !parameters.texts("node_ids")?.is_empty()
            || !parameters.texts("node_instance_ids")?.is_empty(),
        validate: workflow == "validate_agents" || given("validate") != false,
        install: installs.then(|| inputs.into_iter().collect()),
        manager: [given("manager_ip"), given("manager_certificate")],
    };
    Ok(Part::new(workflow, PartKind::Agents(agents)))
}

fn rollback(parameters: &Parameters) -> Vec<Part> {
    let back = PartKind::Rollback {
        ignore_failure: true,
    };
    let mut parts = vec![Part::new("rollback", back)];
    if parameters.flag("full_rollback") {
        let ignore_failure = false;
        let uninstall = PartKind::Uninstall { ignore_failure };
        parts.push(Part::new("rollback-uninstall", uninstall).on(On::All));
    }
    parts
}

/// The parts of a scaling. What was installed of a scaling out that fails is uninstalled before it is
/// forgotten; where that fails too, the modification stays, for somebody to look at.
fn scale(scaling: Option<Scaling>, parameters: &Parameters) -> Vec<Part> {
    let Some(scaling) = scaling else {
        let told = "delta parameter is 0, so no scaling will take place.";
        return vec![Part::act(Act::Tell(told.into()))];
    };
    let ignore_failure = parameters.flag("ignore_failure");
    let on_chosen = |name: &str, kind| {
        let name = format!("{}_{name}", scaling.entity);
        Part::new(name, kind).on(On::Chosen)
    };
    let mut parts = vec![Part::act(Act::CheckScaling(scaling.clone()))];
    if parameters.flag("abort_started") {
        parts.push(Part::act(Act::ChooseAbandoned));
        let uninstall = PartKind::Uninstall { ignore_failure };
        parts.push(Part::new("uninstall", uninstall).on(On::Chosen));
        parts.push(Part::act(Act::RollBackModification));
    }
    parts.push(Part::act(Act::StartScaling(scaling.clone())));
    let main = match scaling.delta > 0 {
        true => on_chosen("install", PartKind::Install),
        false => on_chosen("uninstall", PartKind::Uninstall { ignore_failure }),
    };
    // After this part comes the end of the modification, and then the rescue.
    let rescue = parts.len() + 2;
    let is_rolled_back = parameters.flag("rollback_if_failed");
    parts.push(if is_rolled_back {
        main.or_else(rescue)
    } else {
        main
    });
    parts.push(Part::act(Act::FinishModification).last());
    if scaling.delta > 0 {
        parts.push(on_chosen("rollback", PartKind::Rollback { ignore_failure }));
        parts.push(on_chosen(
            "rollback-uninstall",
            PartKind::Uninstall { ignore_failure },
        ));
    }
    parts.push(Part::act(Act::RollBackModification));
    parts
}

fn heal(parameters: &Parameters) -> Vec<Part> {
    let instance = parameters.text("node_instance_id");
    let diagnosis = parameters.text("diagnose_value").unwrap_or("Not provided");
    let allow_reinstall = parameters.flag("allow_reinstall");
    let about = instance.unwrap_or("all node instances");
    let told = format!("Starting 'heal' workflow on {about}, Diagnosis: {diagnosis}");
    let mut parts = vec![Part::act(Act::Tell(told))];
    if let Some(instance) = instance {
        parts.push(Part::act(Act::ChooseTree(instance.to_owned())));
    }
    if !parameters.flag("force_reinstall") {
        if parameters.flag("check_status") {
            let kind = check_all(Check::Status);
            parts.push(Part::new("check_status", kind).on(On::Chosen));
        }
        parts.extend(remedies(instance.is_none(), allow_reinstall));
    }
    parts.extend(reinstall_chosen(parameters.flag("ignore_failure")));
    parts
}

/// Has the chosen instances checked and those that are not well healed, or installed again.
pub fn heal_chosen() -> Vec<Part> {
    let check = Part::new("check_status", check_all(Check::Status)).on(On::Chosen);
    let remedies = remedies(true, true);
    let reinstall = reinstall_chosen(true);
    [check]
        .into_iter()
        .chain(remedies)
        .chain(reinstall)
        .collect()
}

/// A check of instances in any order, whose failures are no more than findings.
pub fn check_all(check: Check) -> PartKind {
    PartKind::Check(Checks {
        check,
        by_dependency: false,
        ignore_failure: true,
    })
}

/// Heals the chosen instances that are not well, and chooses those that have to be installed again.
fn remedies(trusting: bool, allow_reinstall: bool) -> [Part; 3] {
    [
        Part::act(Act::ChooseRemedies {
            trusting,
            allow_reinstall,
        }),
        Part::new("heal", PartKind::Heal).on(On::Chosen),
        Part::act(Act::ChooseUnhealed { allow_reinstall }),
    ]
}

/// Installs the chosen instances again.
fn reinstall_chosen(ignore_failure: bool) -> [Part; 2] {
    let uninstall = PartKind::Uninstall { ignore_failure };
    [
        Part::new("reinstall-uninstall", uninstall).on(On::Chosen),
        Part::new("reinstall-install", PartKind::Install).on(On::Chosen),
    ]
}

/// The part that runs one lifecycle operation, with its inputs in a parameter of this name.
fn lifecycle(operation: &str, inputs: &str, parameters: &Parameters) -> Result<Part, Refusal> {
    let operation = format!("{INTERFACE}.{operation}");
    let name = format!("execute_operation_{operation}");
    let kind = PartKind::Operation {
        operation,
        inputs: parameters.inputs(inputs)?,
        allow_override: true,
        by_dependency: parameters.flag("run_by_dependency_order"),
    };
    Ok(Part::new(name, kind))
}
