"""Whether two answers say the same: where they first differ, and what each says there."""

import re

# How our kinds of failure are called in the original.
KINDS = {
    'MissingRequiredInputError': {'MissingInput'},
    'UnknownInputError': {'UnknownInput'},
    'UnknownSecretError': {'MissingSecret'},
    'ConstraintException': {'Constraint'},
}
# Lists whose order comes from a set of the original.
UNORDERED = re.compile(r'(plugins|plugins_to_install|imported_blueprints|members)$')
ABSENT = '(nothing)'


def differences(ours, original, path=''):
    """Yields (path, ours, original) for everything that is not the same."""
    if isinstance(ours, dict) and isinstance(original, dict):
        for key in [*original, *(key for key in ours if key not in original)]:
            yield from differences(ours.get(key, ABSENT), original.get(key, ABSENT),
                                   f'{path}.{key}' if path else key)
    elif isinstance(ours, list) and isinstance(original, list):
        if UNORDERED.search(path):
            ours, original = sorted(ours, key=repr_sorted), sorted(original, key=repr_sorted)
        for place in range(max(len(ours), len(original))):
            yield from differences(ours[place] if place < len(ours) else ABSENT,
                                   original[place] if place < len(original) else ABSENT,
                                   f'{path}.{place}')
    elif type(ours) is not type(original) or ours != original:
        yield path, ours, original


def repr_sorted(value):
    if isinstance(value, dict):
        return repr(sorted((key, repr_sorted(one)) for key, one in value.items()))
    return repr(value)


def comparable(answer):
    """An answer in which everything that is left to chance looks the same."""
    answer = dict(answer)
    for key in ('plan', 'deployment'):
        if key in answer:
            answer[key] = {**answer[key], 'nodes': {
                node['name']: node for node in answer[key]['nodes']}}
    if 'deployment' in answer:
        deployment = answer['deployment']
        deployment['node_instances'], names = shapes(deployment['node_instances'])
        for one in deployment.get('inter_deployment_functions') or []:
            one['context'] = {role: names.get(id, id) for role, id in one['context'].items()}
        if deployment.get('inter_deployment_functions'):
            deployment['inter_deployment_functions'].sort(key=repr_sorted)
    for key in ('refused', 'deployment_refused'):
        if key in answer:
            answer[key] = refusal(answer[key])
    return answer


def refusal(given):
    """A refusal's code or class, and its text with the lists in it sorted."""
    kind = given['kind']
    if given['code'] is not None:
        kind = 'parser error'
    else:
        named = [name for name, ours in KINDS.items() if kind == name or kind in ours]
        kind = named[0] if named else 'other error'

    def in_order(match):
        return '[' + ', '.join(sorted(match.group(1).split(', '))) + ']'

    message = re.sub(r'\[([^\[\]]*)\]', in_order, (given['message'].splitlines() or [''])[0].strip())
    return {'code': given['code'], 'kind': kind, 'message': message}


def shapes(instances):
    """Instances described by what they are connected to, because their ids are random.

    Every instance gets a colour made of its node and the colours of what surrounds it, again and
    again; two deployments have the same shape when they have the same colours.
    """
    by_id = {one['id']: one for one in instances}
    colours = {id: one['node_id'] for id, one in by_id.items()}
    members = {}
    for one in instances:
        for group in one.get('scaling_groups') or []:
            members.setdefault(group['id'], []).append(one['id'])
    for _ in range(4):
        groups = {group: repr(sorted(colours[id] for id in ids)) for group, ids in members.items()}
        known = {}
        next_colours = {}
        incoming = {id: [] for id in by_id}
        for one in instances:
            for relationship in one['relationships']:
                target = relationship['target_id']
                if target in incoming:
                    incoming[target].append((relationship['type'], colours[one['id']]))
        for id, one in by_id.items():
            host = one.get('host_id')
            next_colours[id] = repr((
                colours[id],
                'itself' if host == id else colours.get(host, host),
                [(relationship['type'], relationship['target_name'],
                  colours.get(relationship['target_id'], '?'))
                 for relationship in one['relationships']],
                sorted(incoming[id]),
                [(group['name'], groups[group['id']])
                 for group in one.get('scaling_groups') or []]))
        # Short names for long colours, the same on both sides.
        for place, colour in enumerate(sorted(set(next_colours.values()))):
            known[colour] = f'{place}'
        colours = {id: f'{by_id[id]["node_id"]}#{known[next_colours[id]]}' for id in by_id}
    shape = [{
        'colour': colours[one['id']],
        'node_id': one['node_id'],
        'host': 'itself' if one.get('host_id') == one['id'] else colours.get(one.get('host_id')),
        'relationships': [
            {**relationship, 'target_id': colours.get(relationship['target_id'], '?')}
            for relationship in one['relationships']],
        'scaling_groups': [group['name'] for group in one.get('scaling_groups') or []],
    } for one in instances]
    shape.sort(key=repr_sorted)
    return shape, colours
