"""Cases that are too large to be written down."""

from cases import Case

# Without the built-in types, whose operations every node would have, and not more nodes: the time
# that the original takes grows with their square, and two thousand nodes are minutes.
HEAD = '''tosca_definitions_version: cloudify_dsl_1_4
node_types:
  cloudify.nodes.Compute: {}
  soft: {properties: {size: {default: 3}}}
relationships:
  cloudify.relationships.depends_on: {properties: {connection_type: {default: all_to_all}}}
  cloudify.relationships.contained_in: {derived_from: cloudify.relationships.depends_on}
'''


def all_cases():
    return [case('four hundred nodes, each in the one before it or beside it', many_nodes(400))]


def case(name, blueprint):
    return Case('generated', HEAD, {'name': name, 'blueprint': blueprint})


def many_nodes(count):
    """Hosts with ten nodes in each, connected from host to host."""
    lines = ['node_templates:\n']
    for place in range(count):
        host = place - place % 10
        kind = 'cloudify.nodes.Compute' if place == host else 'soft'
        lines.append(f'  n{place}:\n    type: {kind}\n')
        if place != host:
            lines.append('    relationships:\n'
                         f'    - {{type: cloudify.relationships.contained_in, target: n{host}}}\n')
        elif host:
            lines.append('    relationships:\n'
                         f'    - {{type: cloudify.relationships.depends_on, target: n{host - 10}}}\n')
    return ''.join(lines)
