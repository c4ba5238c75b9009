"""The blueprint language, against the parser that defines it.

Every case of `corpus` goes through the original parser (the Python package `cloudify-common`) and
through ours. A good blueprint must give the same plan, the same deployment plan and node instances
of the same shape; a bad one must be refused with the same code and the same first line.

    scripts/test oracle                          all cases
    python tests/oracle/test_oracle.py           the same, with the Python of .windlass/venv
    python tests/oracle/test_oracle.py -k alias  the cases whose name has "alias"

`WINDLASS_PLAN` names a built `examples/plan`, else it is built. `cases.py` tells how a case is
written.
"""

import json
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import cases  # noqa: E402
import compare  # noqa: E402
import generated  # noqa: E402
import original  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = [f'1_{minor}' for minor in range(6)]
ALL = [*cases.read_all(), *generated.all_cases()]


def ask_ours(questions):
    """Our parser's answers to all questions, from one process."""
    program = os.environ.get('WINDLASS_PLAN')
    command = [program] if program else [
        'cargo', 'run', '--quiet', '--locked', '-p', 'windlass-blueprint', '--example', 'plan']
    lines = ''.join(json.dumps(question) + '\n' for question in questions)
    done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, cwd=ROOT, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def built_in_types():
    """Both sides read the same built-in types: ours, as each version of the language has them."""
    answers = ask_ours([{'built_in_types': version} for version in VERSIONS])
    return {version: json.dumps(answer['built_in_types'])
            for version, answer in zip(VERSIONS, answers)}


def ask_original(arguments):
    case, types = arguments
    return original.answer(case, types)


class Answers:
    """What both sides say to the cases that were chosen, asked for once."""
    ours = None
    original = None

    @classmethod
    def prepare(cls, chosen):
        cls.ours = dict(zip(chosen, ask_ours([ALL[place].as_json() for place in chosen])))
        types = built_in_types()
        with multiprocessing.Pool(os.cpu_count()) as pool:
            found = pool.imap(ask_original, [(ALL[place], types) for place in chosen], 4)
            cls.original = dict(zip(chosen, found))


class Corpus(unittest.TestCase):
    maxDiff = None

    def compare(self, place):
        case = ALL[place]
        ours, theirs = Answers.ours[place], Answers.original[place]
        for key, expected in (('refused', case.refused),
                              ('deployment_refused', case.deployment_refused)):
            refusal = theirs.get(key)
            found = refusal and (refusal['code'] if refusal['code'] is not None
                                 else refusal['kind'])
            self.assertEqual(found, expected,
                             f'the original does not do what the case says ({key}): {refusal}')
        found = list(compare.differences(compare.comparable(ours), compare.comparable(theirs)))
        for path in case.differs:
            known = [one for one in found if is_below(one[0], path)]
            self.assertTrue(known, f'{path} is no difference any more')
            found = [one for one in found if one not in known]
        if ('plan' in ours) != ('plan' in theirs):
            found = [one for one in found if one[0].startswith('refused')]
        text = ''.join(f'\n  {path}\n      ours     {shown(mine)}\n      original {shown(other)}'
                       for path, mine, other in found[:6])
        more = f'\n  and {len(found) - 6} more' if len(found) > 6 else ''
        if found:
            self.fail(f'{text}{more}')


def is_below(path, prefix):
    return path == prefix or path.startswith(f'{prefix}.')


def shown(value):
    text = value if value == compare.ABSENT else json.dumps(value)
    return text if len(text) < 400 else f'{text[:400]}...'


def method(place):
    def test(self):
        self.compare(place)
    test.__doc__ = f'{ALL[place].topic}: {ALL[place].name}'
    return test


def load_tests(loader, standard_tests, pattern):
    """One test for each case, called as the case is; only what was asked for is computed."""
    suite = unittest.TestSuite()
    chosen = []
    for place, case in enumerate(ALL):
        name = 'test_' + re.sub(r'\W+', '_', f'{case.topic} {case.name}').strip('_')
        setattr(Corpus, name, method(place))
        if wanted(f'{case.topic}: {case.name}', loader.testNamePatterns):
            chosen.append(place)
            suite.addTest(Corpus(name))
    Answers.prepare(chosen)
    return suite


def wanted(name, patterns):
    import fnmatch
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


if __name__ == '__main__':
    unittest.main()
