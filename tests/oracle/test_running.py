"""Functions of a running deployment, against the original.

Each value of `running_cases.yaml` is evaluated by both sides in the deployment that the file
describes. What one side refuses, the other must refuse, with the same text; `differs` tells
why where that is not wanted.

`WINDLASS_EVALUATE` names a built `examples/evaluate`, else it is built.
"""

import copy
import json
import os
import pathlib
import subprocess
import types
import unittest

import yaml
from dsl_parser import functions

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
CASES = yaml.safe_load((FOLDER / 'running_cases.yaml').read_text(encoding='utf-8'))
DEPLOYMENT = CASES['deployment']
INSTANCES = DEPLOYMENT['node_instances']


class Storage:
    """The deployment, as the original asks for it."""

    def get_input(self, name):
        return copy.deepcopy(DEPLOYMENT['inputs'][name])

    def get_node(self, name):
        node = DEPLOYMENT['nodes'][name]
        return {'id': name, 'name': name, **copy.deepcopy(node)}

    def get_node_instances(self, name):
        return [copy.deepcopy(one) for one in INSTANCES if one['node_id'] == name]

    def get_node_instance(self, id):
        return next(copy.deepcopy(one) for one in INSTANCES if one['id'] == id)

    def get_secret(self, name):
        return types.SimpleNamespace(value=DEPLOYMENT['secrets'][name])

    def get_capability(self, path):
        root = DEPLOYMENT['capabilities'][path[0]][path[1]]
        return functions.get_nested_attribute_value_of_capability(root, path)['value']

    def get_label(self, key, index):
        values = DEPLOYMENT['labels'][key]
        return values if index is None else values[index]


def original(case):
    payload = {'value': copy.deepcopy(case['value'])}
    try:
        return {'value': functions.evaluate_functions(
            payload, dict(case.get('context') or {}), Storage())['value']}
    except Exception as error:
        return {'refused': str(error)}


class Running(unittest.TestCase):
    maxDiff = None

    def test_all_cases(self):
        questions = [{
            'payload': {'value': case['value']},
            'context': case.get('context') or {},
            'properties': {name: node['properties'] for name, node in DEPLOYMENT['nodes'].items()},
            'node_instances': INSTANCES,
            **{key: DEPLOYMENT[key] for key in ('inputs', 'secrets', 'capabilities', 'labels')},
        } for case in CASES['cases']]
        program = os.environ.get('WINDLASS_EVALUATE')
        command = [program] if program else [
            'cargo', 'run', '--quiet', '--locked', '-p', 'windlass-blueprint',
            '--example', 'evaluate']
        lines = ''.join(json.dumps(question) + '\n' for question in questions)
        done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, cwd=ROOT,
                              check=True)
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(len(answers), len(questions))
        for case, ours in zip(CASES['cases'], answers):
            with self.subTest(case['name']):
                if 'value' in ours:
                    ours = {'value': ours['value']['value']}
                theirs = original(case)
                if 'differs' in case:
                    self.assertNotEqual(ours, theirs, 'this is no difference any more')
                    # A text may differ, or one side may know what the other does not; values
                    # that both sides have are the same.
                    self.assertFalse('value' in ours and 'value' in theirs, (ours, theirs))
                else:
                    self.assertEqual(ours, theirs)


if __name__ == '__main__':
    unittest.main()
