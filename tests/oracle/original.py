"""The original parser: what it makes of a case.

It runs as the control plane runs it: files below one directory, the built-in types beside them,
plugins and other blueprints through an import resolver.
"""

import contextlib
import datetime
import json
import pathlib
import tempfile
import urllib.parse

from dsl_parser import exceptions, tasks
from dsl_parser.import_resolver.default_import_resolver import DefaultImportResolver
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import parse as parse_version


class NotFound(Exception):
    """How the secret store says that there is no such secret."""
    status_code = 404


class CatalogueResolver(DefaultImportResolver):
    """Finds plugins and blueprints among what the case offers, and nothing in the network."""

    def __init__(self, case, root):
        super().__init__(fallback=False)
        self.case = case
        self.root = root

    def fetch_import(self, import_url, dsl_version='', **_):
        if import_url.startswith('plugin:'):
            files = self.plugin(import_url)['files']
            return files[file_for_version(sorted(files), dsl_version)]
        if import_url.startswith('blueprint:'):
            return self.blueprint(import_url[len('blueprint:'):])
        if import_url.startswith('file:'):
            path = urllib.parse.unquote(import_url[len('file:'):])
            with contextlib.suppress(OSError):
                return pathlib.Path(path).read_text(encoding='utf-8')
        raise exceptions.DSLParsingLogicException(
            13, f'Import failed: Unable to open import url {import_url}')

    def retrieve_plugin(self, import_url, **_):
        if not import_url.startswith('plugin:'):
            return None
        return self.plugin(import_url)

    def plugin(self, import_url):
        """The newest plugin that fits `plugin:<name>?version=..&distribution=..`."""
        name, _, query = import_url[len('plugin:'):].partition('?')
        wanted = {}
        for key, values in urllib.parse.parse_qs(query, keep_blank_values=True).items():
            if key not in ('version', 'distribution'):
                raise refused_import(f'Error parsing spec for plugin {name}: '
                                     f'invalid parameter {key}')
            if len(values) != 1:
                raise refused_import(f'Error parsing spec for plugin {name}: '
                                     f'multiple values for {key}')
            wanted[key] = values[0]
        fitting = [one for one in self.case.plugins if one['name'] == name]
        if 'distribution' in wanted:
            fitting = [one for one in fitting
                       if one.get('distribution') == wanted['distribution']]
        if 'version' in wanted:
            fitting = [one for one in fitting if fits(one['version'], wanted['version'], name)]
        if not fitting:
            version = f" with version {wanted['version'].strip()}" if 'version' in wanted else ''
            place = f" for {wanted['distribution']}" if 'distribution' in wanted else ''
            raise refused_import(f'Couldn\'t find plugin "{name}"{version}{place}. '
                                 'Please upload the plugin')
        return max(fitting, key=lambda one: parse_version(one['version']))

    def blueprint(self, blueprint_id):
        """A blueprint's own parser run, as far as its merged sections."""
        from dsl_parser import parser
        given = self.case.blueprints.get(blueprint_id)
        if given is None:
            raise refused_import(f'Requested blueprint import `{blueprint_id}` was not found')
        main = write_files(self.root / 'blueprints' / blueprint_id, given['files']) / given.get(
            'main_file', 'blueprint.yaml')
        return parser.parse_from_import_blueprint(
            dsl_location=str(main),
            dsl_string=main.read_text(encoding='utf-8'),
            resources_base_path=str(self.root / 'resources'),
            resolver=self)


def refused_import(text):
    return exceptions.DSLParsingLogicException(13, f'Import failed: {text}')


def fits(version, wanted, name):
    """Whether a version is the wanted one, or within `>=2.0,<3`."""
    try:
        specifiers = SpecifierSet(wanted)
    except InvalidSpecifier:
        try:
            specifiers = SpecifierSet(f'=={wanted}')
        except InvalidSpecifier:
            raise refused_import(f'Error parsing spec for plugin {name}: '
                                 f'invalid version {wanted}') from None
    return specifiers.contains(parse_version(version), prereleases=True)


def file_for_version(names, dsl_version):
    """Of `plugin.yaml`, `plugin_1_4.yaml`, ... the one for this version of the language."""
    found = DefaultImportResolver._plugin_yamls_for_dsl_version
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            pathlib.Path(folder, name).touch()
        return pathlib.Path(found(folder, dsl_version)[0]).name


def write_files(folder, files):
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding='utf-8')
    return folder


def plain(value):
    """A plan as it looks in JSON."""
    def other(one):
        if isinstance(one, (set, frozenset)):
            return sorted(one)
        if isinstance(one, (datetime.date, datetime.datetime)):
            return one.isoformat()
        raise TypeError(f'{type(one).__name__} in a plan')
    return json.loads(json.dumps(value, default=other))


def refusal(error):
    """What is refused, in the words that both sides are compared by."""
    lines = str(error).splitlines() or ['']
    return {
        'code': error.err_code if isinstance(error, exceptions.DSLParsingException) else None,
        'kind': type(error).__name__,
        'message': lines[0].strip(),
    }


def answer(case, built_in_types):
    """What the original makes of a case, in the form of `examples/plan.rs`."""
    def get_secret(name):
        if name not in case.secrets:
            raise NotFound(name)
        return name

    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        types = root / 'resources' / 'cloudify' / 'types'
        types.mkdir(parents=True)
        for version, text in built_in_types.items():
            (types / f'types_{version}.yaml').write_text(text, encoding='utf-8')
        files = write_files(root / 'blueprint', case.files)
        try:
            plan = tasks.parse_dsl(str(files / case.main_file), str(root / 'resources'),
                                   resolver=CatalogueResolver(case, root))
        except Exception as error:
            return {'refused': hide(refusal(error), files)}
        result = {'plan': plain(plan)}
        try:
            deployment = tasks.prepare_deployment_plan(
                plan, get_secret, json.loads(json.dumps(case.inputs)),
                runtime_only_evaluation=case.runtime_only_evaluation)
            result['deployment'] = plain(deployment)
        except Exception as error:
            result['deployment_refused'] = hide(refusal(error), files)
        return result


def hide(refused, files):
    """Texts name files by their URL below the temporary folder; ours from the blueprint's."""
    # `resource:` is where the original looks last, so it is what its refusal names.
    message = refused['message'].replace(f'file:{files}/', '').replace(' resource:', ' ')
    return {**refused, 'message': message.replace(f'{files}/', '')}
