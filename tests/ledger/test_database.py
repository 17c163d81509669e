import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from isthmus.errors import LedgerError, StorageError
from isthmus.ledger import KeyRing, Keys, Ledger, database, open_database
from isthmus.ledger.database import reading, writing
from isthmus.ledger.schema import SCHEMA_VERSION

from .samples import call, question


@pytest.fixture
def pragmas() -> Iterator[list[str]]:
    """Statements that each new connection of any engine says first: the way to a full or read-only disk."""
    statements: list[str] = []

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for statement in statements:
            connection.execute(statement)

    event.listen(Engine, "connect", prepare)
    yield statements
    event.remove(Engine, "connect", prepare)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestOpening:
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps its permissions elsewhere")
    def test_folder_and_files_are_their_owners_alone(self, path: Path):
        before = os.umask(0)
        try:
            engine = open_database(path)
            Ledger(engine).record([question()])
        finally:
            os.umask(before)
        assert mode(path.parent) == 0o700
        assert {file.name: mode(file) for file in path.parent.iterdir()} == {
            "ledger.sqlite3": 0o600,
            "ledger.sqlite3-wal": 0o600,
            "ledger.sqlite3-shm": 0o600,
        }
        engine.dispose()

    def test_an_odd_path_is_just_a_path(self, tmp_path: Path):
        path = tmp_path / "50% of ünïcode?mode=memory&x#y" / "ledger.sqlite3"
        engine = open_database(path)
        Ledger(engine).record([question()])
        engine.dispose()
        assert path.stat().st_size > 0

    def test_connections_are_set_up(self, engine: Engine):
        with reading(engine) as connection:
            said = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "foreign_keys", "busy_timeout", "secure_delete")
            }
        assert said == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "secure_delete": 1}

    def test_what_was_written_is_there_after_opening_again(self, path: Path):
        engine = open_database(path)
        Ledger(engine).record([question(id="q")])
        engine.dispose()
        engine = open_database(path)
        assert [row.id for row in Ledger(engine).questions(5)] == ["q"]
        engine.dispose()

    def test_only_the_first_opening_imports_alembic(self, path: Path):
        script = (
            "import sys, pathlib\n"
            "from isthmus.ledger import open_database\n"
            "open_database(pathlib.Path(sys.argv[1])).dispose()\n"
            "print('alembic' in sys.modules)\n"
        )
        command = [sys.executable, "-c", script, str(path)]
        imported = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)
        ]
        assert imported == ["True\n", "False\n"]

    def test_processes_that_come_at_once_share_the_work(self, path: Path):
        script = (
            "import sys, pathlib, isthmus.ledger.migrate\n"
            "from isthmus.ledger import open_database\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "open_database(pathlib.Path(sys.argv[1])).dispose()\n"
        )
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        ends = [process.communicate(timeout=60) for process in processes]
        assert ends == [("", "")] * 4
        assert [process.returncode for process in processes] == [0] * 4
        engine = open_database(path)
        Ledger(engine).record([question()])
        assert Ledger(engine).summary().count == 1
        engine.dispose()

    def test_threads_that_come_at_once_share_the_work(self, path: Path):
        barrier, engines, errors = threading.Barrier(8), [], []

        def open_it() -> None:
            barrier.wait()
            try:
                engines.append(open_database(path))
            except LedgerError as error:
                errors.append(error)

        threads = [threading.Thread(target=open_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for engine in engines:
            engine.dispose()
        assert (len(engines), errors) == (8, [])


class TestTransactions:
    def test_an_error_undoes_everything(self, engine: Engine):
        def fail_halfway() -> None:
            with writing(engine) as connection:
                connection.exec_driver_sql("DELETE FROM questions")
                raise KeyboardInterrupt

        Ledger(engine).record([question()])
        with pytest.raises(KeyboardInterrupt):
            fail_halfway()
        assert Ledger(engine).summary().count == 1
        Ledger(engine).record([question()])  # and the turn to write is given back

    def test_a_reader_sees_one_state_and_holds_nobody_up(self, engine: Engine):
        ledger = Ledger(engine)
        with reading(engine) as connection:
            count = "SELECT count(*) FROM questions"
            assert connection.exec_driver_sql(count).scalar_one() == 0
            ledger.record([question()])
            assert connection.exec_driver_sql(count).scalar_one() == 0
        assert ledger.summary().count == 1

    def test_a_writer_waits_for_another_process(self, engine: Engine, path: Path):
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        release.start()
        Ledger(engine).record([question()])
        assert Ledger(engine).summary().count == 1
        release.join()
        other.close()

    def test_a_writer_does_not_wait_for_ever(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
        engine = open_database(path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="somebody else writes to the ledger") as caught:
            Ledger(engine).record([question()])
        assert caught.value.hint == f"fuser -v {path}"
        other.execute("ROLLBACK")
        other.close()
        Ledger(engine).record([question()])
        with (
            writing(engine),
            pytest.raises(LedgerError, match="somebody else writes to the ledger"),
            writing(engine),
        ):
            pass
        engine.dispose()


class TestErrors:
    def test_a_file_that_is_no_database(self, path: Path):
        path.parent.mkdir()
        path.write_bytes(b"These are not the bytes of a database. " * 100)
        with pytest.raises(LedgerError, match="is damaged: file is not a database") as caught:
            open_database(path)
        assert caught.value.hint == f"restore a backup, or begin anew: mv {path} {path}.damaged"
        assert path.read_bytes().startswith(b"These are not")

    def test_a_damaged_database(self, path: Path):
        engine = open_database(path)
        for _ in range(50):
            Ledger(engine).record([question()])
        engine.dispose()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        with pytest.raises(LedgerError, match="is damaged"):
            open_database(path)

    def test_another_programs_database_is_left_alone(self, path: Path):
        path.parent.mkdir()
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE songs (title TEXT)")
        other.commit()
        before = path.read_bytes()
        with pytest.raises(LedgerError, match="is another program's database"):
            open_database(path)
        other.close()
        assert path.read_bytes() == before

    def test_a_newer_schema(self, path: Path):
        open_database(path).dispose()
        other = sqlite3.connect(path)
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
        other.close()
        with pytest.raises(
            LedgerError, match=f"schema is 9999, and this one knows {SCHEMA_VERSION}"
        ) as caught:
            open_database(path)
        assert caught.value.hint == "pip install --upgrade isthmus"

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path):
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="can't be created") as caught:
            open_database(tmp_path / "file" / "ledger.sqlite3")
        assert "chmod u+rwX" in str(caught.value.hint)

    def test_a_folder_in_the_files_place(self, tmp_path: Path):
        with pytest.raises(StorageError, match="can't be opened or written"):
            open_database(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written(self, tmp_path: Path):
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(StorageError, match="permission denied"):
                open_database(tmp_path / "ledger.sqlite3")
        finally:
            tmp_path.chmod(0o700)

    def test_a_disk_that_cannot_be_written(self, path: Path, pragmas: list[str]):
        open_database(path).dispose()
        pragmas.append("PRAGMA query_only = ON")
        engine = open_database(path)
        for attempt in (
            lambda: Ledger(engine).record([question()]),
            lambda: Ledger(engine).reserve(call("1")),
            lambda: Keys(engine).create("laptop"),
        ):
            with pytest.raises(StorageError, match="can't be opened or written: attempt to write a readonly"):
                attempt()
        engine.dispose()

    def test_a_full_disk_at_the_first_opening(self, path: Path, pragmas: list[str]):
        pragmas.append("PRAGMA max_page_count = 3")
        with pytest.raises(StorageError, match="the disk is full") as caught:
            open_database(path)
        assert caught.value.hint == f"df -h {path.parent}"
        pragmas.clear()
        open_database(path).dispose()

    def test_a_full_disk_later(self, path: Path, pragmas: list[str]):
        open_database(path).dispose()
        pragmas.append("PRAGMA max_page_count = 60")
        engine = open_database(path)
        ledger = Ledger(engine)

        def fill() -> None:
            for _ in range(1000):
                ledger.record([question(evidence={"detail": "x" * 4000})])

        with pytest.raises(StorageError, match="the disk is full"):
            fill()
        count = ledger.summary().count
        assert len(ledger.questions(1000)) == count > 0
        engine.dispose()

    def test_a_lost_table(self, engine: Engine):
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE keys")
        with pytest.raises(LedgerError, match="refuses: no such table: keys"):
            _ = KeyRing(engine).empty
        with pytest.raises(LedgerError, match="refuses: no such table: keys"):
            Keys(engine).list()
