"""Serves the original Adjutant: `original_adjutant.py FOLDER TASKS PORT`, with the Python that has it.

FOLDER gets its database, with so many tasks of three actions, and its configuration. Whoever asks is an
administrator: Keystone's middleware is left out, which takes work from the original. It serves under
gunicorn, with two workers.
"""

import os
import sys

IDENTITY = {
    "HTTP_X_PROJECT_DOMAIN_ID": "default",
    "HTTP_X_PROJECT_NAME": "harbour",
    "HTTP_X_PROJECT_ID": "harbour",
    "HTTP_X_ROLES": "admin",
    "HTTP_X_USER_DOMAIN_ID": "default",
    "HTTP_X_USER_NAME": "admin",
    "HTTP_X_USER_ID": "1",
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
}

CONFIGURATION = """
django:
  secret_key: only for the benchmark
  allowed_hosts: ["*"]
  log_file: {folder}/log
  databases:
    default: {{ENGINE: django.db.backends.sqlite3, NAME: {folder}/db.sqlite3}}
  email: {{email_backend: django.core.mail.backends.dummy.EmailBackend}}
identity:
  auth: {{username: a, password: a, project_name: a, project_domain_id: a, user_domain_id: a, auth_url: "http://127.0.0.1:1/v3"}}
workflow: {{horizon_url: "http://127.0.0.1:1/"}}
"""


def application(environment, start):
    """What gunicorn runs: the original, asked by an administrator."""
    return original({**environment, **IDENTITY}, start)


def fill(count):
    """So many tasks as a sign-up makes them, every other one done."""
    from adjutant.actions.models import Action
    from adjutant.api.models import Task
    from django.utils import timezone

    note = "No existing project with name 'pier'. - (2026-11-21 01:06:18.612528+00:00)"
    tasks = [
        Task(
            hash_key=f"{number:064}",
            task_type="create_project_and_user",
            action_notes={"NewProjectWithUserAction": [note, note]},
            completed=number % 2 == 1,
            completed_on=timezone.now() if number % 2 else None,
        )
        for number in range(count)
    ]
    Task.objects.bulk_create(tasks, batch_size=50)
    actions = []
    for number, task in enumerate(tasks):
        person = {"domain_id": "default", "email": f"n{number}@example.com", "parent_id": None, "project_name": f"pier-{number}"}
        network = {"region": "RegionOne", "setup_network": False}
        named = [("NewProjectWithUserAction", person), ("NewProjectDefaultNetworkAction", network), ("SetProjectQuotaAction", {})]
        for order, (name, data) in enumerate(named):
            actions.append(Action(task=task, order=order, action_name=name, action_data=data, cache={}, valid=True))
    Action.objects.bulk_create(actions, batch_size=50)


def prepare(folder, count):
    path = os.path.join(folder, "adjutant.yaml")
    with open(path, "w") as file:
        file.write(CONFIGURATION.format(folder=folder))
    os.environ["ADJUTANT_CONFIG_FILE"] = path
    os.environ["DJANGO_SETTINGS_MODULE"] = "adjutant.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    fill(count)


def serve(port):
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    # Threads keep connections open; workers of the usual kind would answer one request of each.
    gunicorn += ["--worker-class", "gthread", "--threads", "8"]
    gunicorn += ["--pythonpath", os.path.dirname(os.path.abspath(__file__)), "original_adjutant:application"]
    print(f"Serving http://127.0.0.1:{port}", flush=True)
    os.execv(sys.executable, gunicorn)


if __name__ == "__main__":
    folder, count, port = sys.argv[1:4]
    prepare(folder, int(count))
    serve(port)
else:
    from django.core.wsgi import get_wsgi_application

    original = get_wsgi_application()
