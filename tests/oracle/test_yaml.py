"""Our YAML reader, against PyYAML: what it takes, what it refuses, and where.

The texts are those of `yaml_suite` (the examples of the YAML test suite, see its LICENSE), of
`yaml_cases.yaml`, all blueprints of `corpus`, and for some seconds variations of all of them.

    python tests/oracle/test_yaml.py                      ten seconds of variations
    WINDLASS_YAML_SECONDS=600 python tests/oracle/test_yaml.py

`WINDLASS_YAML_SEED` repeats a run. `WINDLASS_YAML` names a built `examples/yaml`, else it is built.
"""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import cases  # noqa: E402

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
# Our limits, and what the original takes although no plan can hold it.
NOT_COMPARED = re.compile(r'nest deeper|more than \d+ values|inside of the value that it means')
# Values that we refuse where they stand. PyYAML reads the rest of the file before.
TOLD_EARLIER = re.compile(r'unhashable key|does not fit the tag|undefined alias|maps of one entry|which is no character|duplicate anchor|for merging')
# Parts that change the meaning of what is around them.
SIGNS = ['\n', '\n\n', '\n  ', ' ', '  ', '\t', ':', ': ', '- ', '-', '? ', '?', ',', '[', ']', '{', '}', '#', ' #',
         '&a ', '*a', '!', '!! ', '!!str ', '|\n', '>\n', '|-\n', '>+\n', '"', "'", '\\', '---\n', '...\n', '%', '<<: ',
         '=', '~', '0', '1_0', '.5', '\r\n', '\x85', '\u2028', '\ufeff', 'é', '@', '`', '"\\x41"']


class Reader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer,
             yaml.constructor.SafeConstructor, yaml.resolver.Resolver):
    """PyYAML's own reader, which the original uses. The C library takes other texts."""

    def __init__(self, stream):
        for part in (yaml.reader.Reader,):
            part.__init__(self, stream)
        for part in (yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer,
                     yaml.constructor.SafeConstructor, yaml.resolver.Resolver):
            part.__init__(self)


# No plan can hold these, so they stay what was written.
for kind in ('timestamp', 'binary'):
    Reader.add_constructor(f'tag:yaml.org,2002:{kind}', Reader.construct_scalar)


def construct_float(self, node):
    value = self.construct_yaml_float(node)
    return node.value if value != value or value in (float('inf'), float('-inf')) else value


Reader.add_constructor('tag:yaml.org,2002:float', construct_float)


class FellOver(Exception):
    """PyYAML ended with an error that is not about YAML: there is nothing to compare."""


def of_pyyaml(text):
    """(value, None), or (None, place), where the place is None if it tells none."""
    try:
        return plain(Reader(text).get_single_data()), None
    except (yaml.scanner.ScannerError, yaml.parser.ParserError) as error:
        mark = error.problem_mark
        return None, (mark.line + 1, mark.column + 1)
    except (yaml.YAMLError, UnicodeError):
        return None, (0, 0)
    except Exception as error:
        raise FellOver from error


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, dict):
        if len({repr(key) for key in value}) != len({key_text(key) for key in value}):
            raise FellOver
        return {key_text(key): plain(one) for key, one in value.items()}
    if isinstance(value, set):
        return {key_text(key): None for key in value}
    if isinstance(value, tuple):
        return {key_text(value[0]): plain(value[1])}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return as_utf16(value) if isinstance(value, str) else value


def as_utf16(text):
    """Two halves of a character become one, as in JSON. Half of one is an error."""
    return text.encode('utf-16', 'surrogatepass').decode('utf-16')


def key_text(key):
    if isinstance(key, (tuple, bytes)):
        raise FellOver
    return as_utf16(key) if isinstance(key, str) else json.dumps(key)


class Ours:
    """The process that answers as our reader does."""

    def __init__(self):
        program = os.environ.get('WINDLASS_YAML')
        command = [program] if program else [
            'cargo', 'run', '--quiet', '--locked', '-p', 'windlass-blueprint', '--example', 'yaml']
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def ask(self, texts):
        # A thread would be needed for more than what pipes hold, so the answers are read between.
        answers = []
        for text in texts:
            self.process.stdin.write(json.dumps(text).encode() + b'\n')
            self.process.stdin.flush()
            answers.append(json.loads(self.process.stdout.readline()))
        return answers

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def difference(text, answer, with_place=True):
    """What the two readers disagree about, or None. A text with two mistakes may be refused at either."""
    if NOT_COMPARED.search(answer.get('refused', '')):
        return None
    try:
        value, place = of_pyyaml(text)
    except (FellOver, RecursionError):
        return None
    if place is not None:
        if 'refused' not in answer:
            return f'ours takes it as {answer["value"]!r}, PyYAML refuses it at {place}'
        ours = re.search(r'line (\d+), column (\d+)', answer['refused'])
        if not with_place or TOLD_EARLIER.search(answer['refused']) or place == (0, 0):
            return None
        if ours is None or (int(ours[1]), int(ours[2])) != place:
            return f'ours refuses it with {answer["refused"]!r}, PyYAML at {place}'
        return None
    if 'refused' in answer:
        return f'ours refuses it with {answer["refused"]!r}, PyYAML takes it as {value!r}'
    if not same(answer['value'], value):
        return f'ours takes it as {answer["value"]!r}, PyYAML as {value!r}'
    return None


def same(one, other):
    """Equal, and of the same types: 1, 1.0 and true are three values."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def suite():
    with (HERE / 'yaml_suite/cases.jsonl').open(encoding='utf-8') as lines:
        return dict(map(json.loads, lines))


def blueprints():
    return [text for case in cases.read_all() for text in case.files.values()]


class Yaml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ours = Ours()

    @classmethod
    def tearDownClass(cls):
        cls.ours.close()

    def compare(self, texts):
        for name, answer in zip(texts, self.ours.ask(texts.values())):
            with self.subTest(name):
                self.assertIsNone(difference(texts[name], answer), f'{texts[name]!r}')

    def test_the_examples_of_the_yaml_test_suite(self):
        self.compare(suite())

    def test_what_readers_understand_in_different_ways(self):
        texts = yaml.safe_load((HERE / 'yaml_cases.yaml').read_text('utf-8'))
        self.compare({text: text for text in texts})

    def test_all_blueprints_of_the_corpus(self):
        self.compare({text[:60] + str(number): text for number, text in enumerate(blueprints())})

    def test_files_of_windows(self):
        text = 'a: Bögen\r\nb: [1]\r\n'
        files = {name: list(text.encode(name)) for name in ('utf-8', 'utf-8-sig', 'utf-16')}
        for name, answer in zip(files, self.ours.ask(files.values())):
            self.assertEqual(answer, {'value': {'a': 'Bögen', 'b': [1]}}, name)

    def test_variations(self):
        """Texts that were changed at random are taken and refused alike: the same ones each time, unless
        `scripts/fuzz` asks for others."""
        seed = os.environ.get('WINDLASS_YAML_SEED') or 'the same'
        chance = random.Random(seed)
        known = [*suite().values(), *yaml.safe_load((HERE / 'yaml_cases.yaml').read_text('utf-8')),
                 *(text for text in blueprints() if len(text) < 2000)]
        end = time.monotonic() + float(os.environ.get('WINDLASS_YAML_SECONDS') or 10)
        count = 0
        while time.monotonic() < end:
            texts = [varied(chance, known) for _ in range(100)]
            for text, answer in zip(texts, self.ours.ask(texts)):
                found = difference(text, answer, with_place=False)
                if found:
                    text = smallest(self.ours, text)
                    found = difference(text, self.ours.ask([text])[0], with_place=False)
                    self.fail(f'{text!r}: {found} (WINDLASS_YAML_SEED={seed})')
            count += len(texts)
        print(f'{count} variations compared', file=sys.stderr)


def varied(chance, known):
    text = chance.choice(known)
    for _ in range(chance.choice([1, 1, 2, 3, 5])):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice([0, 0, 0, 1, 1, 2, 8]))
        other = chance.choice(known)
        place = chance.randint(0, len(other))
        part = chance.choice([chance.choice(SIGNS), chance.choice(SIGNS), '', other[place:place + 12]])
        text = text[:start] + part + text[end:]
    return text


def smallest(ours, text):
    """A shorter text about which the readers still disagree."""
    size = len(text) // 2
    while size:
        for start in range(0, len(text), size):
            less = text[:start] + text[start + size:]
            if difference(less, ours.ask([less])[0], with_place=False):
                text = less
                break
        else:
            size //= 2
    return text


if __name__ == '__main__':
    unittest.main()
