"""Scaling, against the original: which node instances come, go and are connected with those.

The original makes a deployment of each case of `scaling_cases.yaml`, and both sides scale it. Who
goes is up to chance in the original unless all or none do, or the case says who (`first`: so many
instances of a node, or instances that are in the same ones of a group, go first).

`WINDLASS_SCALE` names a built `examples/scale`, else it is built.
"""

import copy
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import yaml
from dsl_parser import tasks

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
CASES = yaml.safe_load((FOLDER / 'scaling_cases.yaml').read_text(encoding='utf-8'))
LISTS = {'added': 'added_and_related', 'removed': 'removed_and_related',
         'extended': 'extended_and_related', 'reduced': 'reduced_and_related'}


def deployment(text):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, 'blueprint.yaml')
        file.write_text(CASES['header'] + text, encoding='utf-8')
        return tasks.prepare_deployment_plan(tasks.parse_dsl(str(file), folder))


def wanted(case, instances):
    """The case's numbers, with ids for the instances that are to go first."""
    modified = {}
    for name, numbers in case['modified'].items():
        if isinstance(numbers, int):
            numbers = {'instances': numbers}
        first = [one['id'] for one in instances if one['node_id'] == numbers.get('of', name)]
        modified[name] = {'instances': numbers['instances'],
                          'removed_first': first[:numbers.get('first', 0)]}
    return modified


def original(plan, modified):
    numbers = {name: {'instances': one['instances'],
                      'removed_ids_include_hint': one['removed_first']}
               for name, one in modified.items()}
    plan = copy.deepcopy(plan)
    found = tasks.modify_deployment(
        nodes=plan['nodes'], previous_nodes=copy.deepcopy(plan['nodes']),
        previous_node_instances=plan['node_instances'], modified_nodes=numbers,
        scaling_groups=plan['scaling_groups'])
    answer = {}
    for name, key in LISTS.items():
        marked = [one for one in found[key] if 'modification' in one]
        answer[name] = marked
        if name in ('added', 'removed'):
            answer[f'{name}_related'] = [one for one in found[key] if 'modification' not in one]
    return answer


def described(answer, known):
    """The answer without ids that were made up."""
    def name(id, other):
        return id if id in known else f'new {other}'

    result = {}
    for key, instances in answer.items():
        result[key] = sorted(
            (name(one['id'], one['node_id']),
             name(one['host_id'], 'host') if one.get('host_id') else None,
             sorted((each['type'], each['target_name'], name(each['target_id'], each['target_name']))
                    for each in one['relationships']),
             [(group['name'], name(group['id'], group['name']))
              for group in one.get('scaling_groups') or []])
            for one in instances)
    return result


class Scaling(unittest.TestCase):
    maxDiff = None

    def test_all_cases(self):
        questions, expected = [], []
        for case in CASES['cases']:
            plan = deployment(case['blueprint'])
            modified = wanted(case, plan['node_instances'])
            known = {one['id'] for one in plan['node_instances']}
            known |= {group['id'] for one in plan['node_instances']
                      for group in one.get('scaling_groups') or []}
            instances = json.loads(json.dumps(plan['node_instances']))
            questions.append({'plan': json.loads(json.dumps(plan)), 'node_instances': instances,
                              'modified': modified})
            expected.append((case, known, described(original(plan, modified), known)))
        program = os.environ.get('WINDLASS_SCALE')
        command = [program] if program else [
            'cargo', 'run', '--quiet', '--locked', '-p', 'windlass-blueprint', '--example', 'scale']
        lines = ''.join(json.dumps(question) + '\n' for question in questions)
        done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, cwd=ROOT,
                              check=True)
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(len(answers), len(expected))
        for answer, (case, known, theirs) in zip(answers, expected):
            with self.subTest(case['name']):
                self.assertNotIn('refused', answer)
                self.assertEqual(described(answer, known), theirs)


if __name__ == '__main__':
    unittest.main()
