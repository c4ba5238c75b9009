"""The corpus: what a case is, and how it is read.

A file of `corpus` is a topic. It has a `header`, which is put in front of every blueprint of the
file, and `cases`:

    - name: a node without a type is refused     the claim
      blueprint: |                               the main file, after the header
        node_templates: {a: {}}
      header: ''                                 another header for this case
      files: {types/more.yaml: '...'}            more files of the archive
      main_file: main.yaml                       instead of blueprint.yaml
      plugins: [{name, version, distribution, files, labels, blueprint_labels, resource_tags}]
      blueprints: {other: {main_file, files}}    what there is to import
      inputs: {port: 80}                         for the deployment
      secrets: [password]                        the secrets that exist
      runtime_only_evaluation: true
      refused: 107                               how the original refuses it: the code of its
      deployment_refused: ConstraintException    parser's error, or the class of any other error
      differs: {plan.nodes.0.x: a reason}        wanted differences: where, and why

Without `refused` the original makes a plan of it, without `deployment_refused` a deployment.
"""

import pathlib

import yaml

CORPUS = pathlib.Path(__file__).parent / 'corpus'
KEYS = {'name', 'blueprint', 'header', 'files', 'main_file', 'plugins', 'blueprints', 'inputs',
        'secrets', 'runtime_only_evaluation', 'refused', 'deployment_refused', 'differs'}


class Case:
    """One blueprint, what surrounds it, and what the original is known to do with it."""

    def __init__(self, topic, header, given):
        unknown = set(given) - KEYS
        if unknown:
            raise ValueError(f'{topic}: {given.get("name")}: unknown keys {sorted(unknown)}')
        self.topic = topic
        self.name = given['name']
        self.refused = given.get('refused')
        self.deployment_refused = given.get('deployment_refused')
        self.differs = given.get('differs') or {}
        self.main_file = given.get('main_file', 'blueprint.yaml')
        self.files = {path: text or '' for path, text in (given.get('files') or {}).items()}
        if 'blueprint' in given:
            self.files[self.main_file] = (given.get('header', header) or '') + given['blueprint']
        self.plugins = given.get('plugins') or []
        self.blueprints = given.get('blueprints') or {}
        self.inputs = given.get('inputs') or {}
        self.secrets = given.get('secrets') or []
        self.runtime_only_evaluation = given.get('runtime_only_evaluation', False)

    def as_json(self):
        """The case as `examples/plan.rs` reads it."""
        return {key: getattr(self, key) for key in (
            'files', 'main_file', 'plugins', 'blueprints', 'inputs', 'secrets',
            'runtime_only_evaluation')}


def read_all():
    """All cases, in the order of the files' names. A name appears once in a topic."""
    cases = []
    for path in sorted(CORPUS.glob('*.yaml')):
        topic = yaml.safe_load(path.read_text(encoding='utf-8'))
        names = set()
        for given in topic['cases']:
            if given['name'] in names:
                raise ValueError(f'{path.stem}: two cases are called {given["name"]!r}')
            names.add(given['name'])
            cases.append(Case(path.stem, topic.get('header'), given))
    return cases
