//! The numbers of instances that nodes and scaling policies ask for, in the same form.

use super::schema::{self, key};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::functions::function_of;
use crate::json::set;
use crate::yaml::Node;
use serde_json::{Value, json};

/// Reads `instances` and `capabilities` of a node template.
pub(super) fn of_node(name: &str, node: &Node, version: Version) -> Result<(Value, Value)> {
    let deploy = match node.get("instances") {
        None => None,
        Some(instances) => {
            schema::check_keys(instances, &[key("deploy")], version).under("instances")?;
            let deploy = schema::required(instances, "deploy").under("instances")?;
            let count = deploy.to_value();
            if function_of(&count).is_none()
                && schema::integer(deploy)
                    .under("deploy")
                    .under("instances")?
                    .as_u64()
                    .is_none()
            {
                let message = "deploy instances must be a non-negative number";
                return Err(Error::parser(1, message)
                    .at(deploy)
                    .under("deploy")
                    .under("instances"));
            }
            Some(count)
        }
    };
    let capabilities = node.get("capabilities");
    let scalable = capabilities.and_then(|node| node.get("scalable"));
    if let Some(capabilities) = capabilities {
        version
            .requires(Version(3), "capabilities", capabilities)
            .under("capabilities")?;
        schema::check_keys(capabilities, &[key("scalable")], version).under("capabilities")?;
        if deploy.is_some() && !capabilities.is_null() {
            let message = format!(
                "Node '{name}' defines both instances.deploy and capabilities.scalable (Note: instances.deploy is deprecated)"
            );
            return Err(Error::parser(209, message)
                .at(capabilities)
                .under("capabilities"));
        }
    }
    let given = match scalable {
        Some(scalable) => {
            schema::check_keys(scalable, &[key("properties")], version)
                .under("scalable")
                .under("capabilities")?;
            scalable.get("properties")
        }
        None => None,
    };
    let mut properties = properties(given)
        .under("properties")
        .under("scalable")
        .under("capabilities")?;
    let mut instances = json!({});
    if let Some(deploy) = deploy {
        for count in [
            "default_instances",
            "current_instances",
            "planned_instances",
        ] {
            set(&mut properties, count, deploy.clone());
        }
        instances = json!({ "deploy": deploy });
    }
    Ok((
        instances,
        json!({ "scalable": { "properties": properties } }),
    ))
}

/// Reads scaling properties and fills in their defaults.
pub(super) fn properties(given: Option<&Node>) -> Result<Value> {
    let mut properties = json!({
        "min_instances": 0,
        "max_instances": -1,
        "default_instances": 1,
    });
    if let Some(node) = given {
        let keys = [
            key("min_instances"),
            key("max_instances"),
            key("default_instances"),
        ];
        schema::check_keys(node, &keys, Version::NEWEST)?;
        for (name, entry) in schema::map(node)? {
            if !entry.is_null() {
                let count = count(name, entry).under(name)?;
                set(&mut properties, name, count);
            }
        }
        check_order(&properties).map_err(|error| error.at(node))?;
    }
    let default = properties.get("default_instances").cloned();
    set(&mut properties, "current_instances", default.clone());
    set(&mut properties, "planned_instances", default);
    Ok(properties)
}

fn count(name: &str, entry: &Node) -> Result<Value> {
    let value = entry.to_value();
    if function_of(&value).is_some() {
        return Ok(value);
    }
    if value.is_object() {
        let message = format!("{name} should be a valid intrinsic function or a value.");
        return Err(Error::parser(210, message).at(entry));
    }
    let is_max = name == "max_instances";
    if is_max && let Some(text) = value.as_str() {
        if text == "UNBOUNDED" {
            return Ok(json!(-1));
        }
        let message = "The only valid string for max_instances is UNBOUNDED.";
        return Err(Error::parser(208, message).at(entry));
    }
    match value.as_i64() {
        Some(-1) if is_max => Ok(value),
        Some(number) if number < 0 || (is_max && number == 0) => {
            let kind = if is_max { "positive" } else { "non negative" };
            let message = format!("{name} should be a {kind} value.");
            Err(Error::parser(207, message).at(entry))
        }
        Some(_) => Ok(value),
        None => {
            let found = entry.type_name();
            let expected = match is_max {
                true => "['dict', 'integer', 'string']",
                false => "['dict', 'integer']",
            };
            let message = format!("Expected '{expected}' type but found '{found}' type");
            Err(Error::parser(1, message).at(entry))
        }
    }
}

/// Checks that minimum, default and maximum are in order. Functions are checked later, when they
/// have become numbers.
pub(crate) fn check_order(properties: &Value) -> Result<()> {
    let number = |name: &str| properties[name].as_i64();
    let unbounded = number("max_instances") == Some(-1);
    let refuse = |message: String| Err(Error::parser(207, message));
    if let (Some(default), Some(min)) = (number("default_instances"), number("min_instances"))
        && default < min
    {
        return refuse(format!(
            "default_instances ({default}) cannot be smaller than min_instances ({min})"
        ));
    }
    if let (Some(min), Some(max)) = (number("min_instances"), number("max_instances"))
        && !unbounded
        && min > max
    {
        return refuse(format!(
            "min_instances ({min}) cannot be greater than max_instances ({max})"
        ));
    }
    if let (Some(default), Some(max)) = (number("default_instances"), number("max_instances"))
        && !unbounded
        && default > max
    {
        return refuse(format!(
            "default_instances ({default}) cannot be greater than max_instances ({max})"
        ));
    }
    Ok(())
}
