"""Blueprints of the Python stories."""

CRANE = """
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
inputs:
  reach:
    type: integer
    default: 12
node_templates:
  quay:
    type: cloudify.nodes.Compute
    properties:
      ip: 10.0.0.7
      agent_config:
        install_method: none
  crane:
    type: cloudify.nodes.SoftwareComponent
    relationships:
      - type: cloudify.relationships.contained_in
        target: quay
outputs:
  address:
    value: { get_property: [quay, ip] }
  reach:
    value: { get_input: reach }
capabilities:
  lifts:
    value: { concat: ['up to ', { get_input: reach }, ' t'] }
"""


def posting(step, *more):
    """An operation that is one POST to the recording server, with the instance's id in it."""
    return "\n".join(
        (
            f"        {step}:",
            f"          implementation: windlass-http.{step}",
            "          inputs:",
            "            method: POST",
            f"            url: {{ concat: [{{ get_input: url }}, /{step}] }}",
            "            body: { instance: { get_attribute: [SELF, node_instance_id] } }",
            *more,
        )
    )


def by_http(node, *operations, instances=1):
    """A blueprint of one node whose operations go out by HTTP."""
    return "\n".join(
        (
            "tosca_definitions_version: cloudify_dsl_1_4",
            "imports: [cloudify/types/types.yaml]",
            "inputs:",
            "  url: { type: string }",
            "node_templates:",
            f"  {node}:",
            "    type: cloudify.nodes.Root",
            "    capabilities:",
            "      scalable:",
            f"        properties: {{ default_instances: {instances} }}",
            "    interfaces:",
            "      cloudify.interfaces.lifecycle:",
            *operations,
        )
    )


LIGHTHOUSE = by_http(
    "lamp",
    posting("create", "            runtime_properties: { lamp_id: lamp.id }"),
    posting("start"),
)

FLEET_STEPS = ("precreate", "create", "configure", "start", "poststart")
FLEET = by_http("ship", *map(posting, FLEET_STEPS), instances=50)
