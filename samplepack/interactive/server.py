"""The server of the audition page: it answers this machine alone, and only whoever knows the address."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.version import __version__
from samplepack.checkpoints.directions import read_directions
from samplepack.interactive.controls import effect_controls
from samplepack.interactive.drop import Dropped, drop
from samplepack.interactive.edits import Edit
from samplepack.interactive.engine import Heard, NoteEngine, Voice
from samplepack.interactive.map import Place, SoundMap, make_map, read_map
from samplepack.interactive.session import Conflict, Session, State
from samplepack.models.checkpoint import read_instruments
from samplepack.models.latent import LARGEST_SEED
from samplepack.recipe import point_names
from samplepack.rendering.plan import Note, note_key, origins
from samplepack.web.playing import answers, region

_MOST_JSON_BYTES = 2 << 20
_MOST_SOUND_BYTES = 30 << 20
_MOST_REMEMBERED = 400
_MOST_TOLD = 20
_STATIC = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_Asked = TypeVar("_Asked", bound=BaseModel)


class _Ask(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sound(_Ask):
    """An instrument of the recipe by its name, or a timbre that need not stand in it."""

    name: StrictStr | None = None
    timbre: dict[str, Any] | None = None


class _Regions(_Ask):
    sound: _Sound
    key: Annotated[StrictInt, Field(ge=0, le=127)]
    ahead: StrictBool = True


class _Versioned(_Ask):
    version: StrictInt


class _Change(_Versioned):
    edit: Edit


class _Text(_Versioned):
    text: Annotated[StrictStr, Field(max_length=1 << 20)]


class _Children(_Ask):
    timbre: dict[str, Any]
    distance: Annotated[float, Field(gt=0.0, le=20.0, allow_inf_nan=False)]
    count: Annotated[StrictInt, Field(ge=1, le=16)] = 8
    draw: Annotated[StrictInt, Field(ge=0, le=LARGEST_SEED)]


class _Nothing(_Ask):
    pass


class Server:
    """The audition page's server.

    Args:
        session: the recipe.
        engine: plays it; it isn't closed here.
    """

    def __init__(self, session: Session, engine: NoteEngine) -> None:
        self.session, self.engine = session, engine
        self.token = secrets.token_urlsafe(24)
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._sounds: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._mapped = session.state.loaded.checkpoint
        self._map = _no_map(0)
        self._full_map: SoundMap | None = None
        engine.on_settled = lambda digest: self.tell({"event": "settled", "voice": digest})
        posts: dict[str, tuple[type[BaseModel], Callable[[Any], Any]]] = {
            "regions": (_Regions, self._regions),
            "edit": (_Change, lambda asked: self._changed(self.session.change(asked.version, asked.edit))),
            "text": (_Text, lambda asked: self._changed(self.session.write(asked.version, asked.text))),
            "save": (_Versioned, self._save),
            "reload": (_Nothing, lambda asked: self._changed(self.session.reload())),
            "children": (_Children, self._children),
        }
        token = f"/{self.token}"
        routes: list[Any] = [
            Route(f"{token}/", self._file, methods=["GET"]),
            Route(f"{token}/static/{{name:path}}", self._file, methods=["GET"]),
            Route(f"{token}/state", self._get(lambda: self._shown(self.session.state)), methods=["GET"]),
            Route(f"{token}/map", self._get(lambda: self._map), methods=["GET"]),
            Route(f"{token}/sound/{{key}}/{{number:int}}", self._sound, methods=["GET"]),
            Route(f"{token}/drop", self._drop, methods=["POST"]),
            WebSocketRoute(f"{token}/events", self._events),
        ]
        routes += [
            Route(f"{token}/{name}", partial(self._post, model, act), methods=["POST"])
            for name, (model, act) in posts.items()
        ]
        self.app: ASGIApp = _Guard(Starlette(routes=routes, lifespan=self._lifespan), self)

    @property
    def address(self) -> str:
        """The page's address, which has to stay secret."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def run(self, port: int, on_ready: Callable[[], None]) -> None:
        """Serve until the process is interrupted.

        Args:
            port: of 127.0.0.1; 0 takes a free one.
            on_ready: called when connections are accepted.

        Raises:
            OSError: the port is taken.
        """
        import uvicorn

        # With the protocol named, asyncio sets TCP_NODELAY on connections; without, each answer takes 40 ms more.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            listening.listen(64)
            self.port = listening.getsockname()[1]
            on_ready()
            config = uvicorn.Config(
                self.app, log_level="error", access_log=False, server_header=False, ws_max_size=1 << 16,
                timeout_graceful_shutdown=2,
            )  # fmt: skip
            uvicorn.Server(config).run(sockets=[listening])

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event to every open page; from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: dict[str, Any]) -> None:
        for listener in self._listeners:
            if listener.qsize() < _MOST_REMEMBERED:
                listener.put_nowait(event)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._begin, daemon=True).start()
        yield
        self._loop = None

    def _begin(self) -> None:
        """Load the network, and make the map if there is none, while the page is open already."""
        with self._lock:
            number, loaded = self._map["number"], self.session.state.loaded
            if loaded.checkpoint != self._mapped:
                return  # `_follow` is about to begin anew
        try:
            checkpoint = loaded.native_checkpoint()
            if (found := read_map(checkpoint)) is not None:
                self._show_map(number, found)
            self.engine.load(checkpoint)
            self._warm_up()
            self.tell({"event": "loaded"})
            if found is None:

                def wave_of(z: Any, pitch: int) -> Any:
                    note = Note(pitch, z, None, note_key(str(self.engine.engine), checkpoint.digest, z, pitch))
                    self.engine.render_note(checkpoint, note).result()
                    return self.engine.wave(checkpoint, note)

                self._show_map(number, make_map(checkpoint, wave_of, partial(self._on_places, number)))
        except CancelledError:
            return
        except (SamplepackError, OSError) as error:
            with suppress(CancelledError):
                self._change_map(number, {"problem": str(error)})
                self.tell({"event": "map", "problem": str(error)})

    def _follow(self) -> None:
        """Begin anew if the recipe has another checkpoint than the map."""
        with self._lock:
            checkpoint = self.session.state.loaded.checkpoint
            if checkpoint == self._mapped:
                return
            self._mapped, self._map, self._full_map = checkpoint, _no_map(self._map["number"] + 1), None
        self.tell({"event": "map"})
        threading.Thread(target=self._begin, daemon=True).start()

    def _change_map(self, number: int, change: dict[str, Any], full: SoundMap | None = None) -> None:
        """Change what the page is told of the map.

        Raises:
            CancelledError: the recipe has another checkpoint by now.
        """
        with self._lock:
            if number != self._map["number"]:
                raise CancelledError
            self._map, self._full_map = {**self._map, **change}, full

    def _show_map(self, number: int, full: SoundMap) -> None:
        places = [_shown_place(place) for place in full.places]
        self._change_map(number, {"places": places, "done": len(places), "of": len(places)}, full)
        self.tell({"event": "map", "done": len(places), "of": len(places)})

    def _warm_up(self) -> None:
        """Make the first sound of the recipe, since the network and the libraries that finish notes begin slowly."""
        loaded = self.session.state.loaded
        if first := next(iter(origins(loaded.recipe)), None):
            self.engine.heard(self.engine.instrument(loaded, first), 60)

    def _on_places(self, number: int, fresh: list[Place], done: int, of: int) -> None:
        places = [*self._map["places"], *map(_shown_place, fresh)]
        self._change_map(number, {"places": places, "done": done, "of": of})
        if fresh or done % 4 == 0:
            self.tell({"event": "map", "done": done, "of": of})

    def _get(self, answer: Callable[[], Any]) -> Callable[[Request], Any]:
        async def respond(request: Request) -> Response:
            return await _answered(answer)

        return respond

    async def _post(self, model: type[_Asked], act: Callable[[_Asked], Any], request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _problem(415, "the request should hold JSON")
        body = await _body(request, _MOST_JSON_BYTES)
        if body is None:
            return _problem(413, "the request is too long")
        try:
            asked = TypeAdapter(model).validate_json(body)
        except ValidationError as error:
            found = [(".".join(map(str, one["loc"])) or "the request", one["msg"]) for one in error.errors()]
            return JSONResponse(
                {"problems": [f"{place[:200]}: {message}" for place, message in found[:_MOST_TOLD]]}, 400
            )
        return await _answered(lambda: act(asked))

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", "audition/index.html")
        suffix = name[name.rfind(".") :]
        known = {"player.js", "keyboard.js"}
        folder = files("samplepack.web").joinpath("static")
        of_page = {f"audition/{file.name}" for file in folder.joinpath("audition").iterdir()}
        if name not in known | of_page or suffix not in _STATIC:
            return _problem(404, "no such file")
        content = folder.joinpath(*name.split("/")).read_bytes()
        return Response(content, media_type=f"{_STATIC[suffix]}; charset=utf-8")

    async def _sound(self, request: Request) -> Response:
        with self._lock:
            heard = self._sounds.get(request.path_params["key"])
        number = request.path_params["number"]
        if heard is None or not 0 <= number < len(heard.packed.notes):
            return _problem(404, "this sound isn't there any more")
        try:
            content = await run_in_threadpool(heard.bytes_of, heard.packed.notes[number].file)
        except OSError:
            return _problem(404, "this sound isn't there any more")
        return Response(content, media_type="application/octet-stream")

    async def _drop(self, request: Request) -> Response:
        body = await _body(request, _MOST_SOUND_BYTES)
        if body is None:
            return _problem(413, "the sound is longer than 30 MB, which no note is")

        def begin() -> dict[str, Any]:
            dropped = drop(self.session, request.query_params.get("name", "sound"), body)
            near = self._full_map.nearest(dropped.spectrum) if self._full_map else []
            threading.Thread(target=self._fit, args=(dropped,), daemon=True).start()
            return {
                "name": dropped.name,
                "pitch": dropped.note.pitch,
                "nearest": [{"name": name, "db": round(db, 1)} for name, db in near],
            }

        return await _answered(begin)

    def _fit(self, dropped: Dropped) -> None:
        def on_step(done: int, of: int) -> None:
            self.tell({"event": "fit", "name": dropped.name, "done": done, "of": of})

        try:
            fit = dropped.fit(on_step)
            version = self.session.read_again().version
        except (SamplepackError, OSError) as error:
            self.tell({"event": "fit", "name": dropped.name, "problem": str(error)})
            return
        self.tell({"event": "recipe", "version": version})
        self.tell(
            {
                "event": "fit",
                "name": dropped.name,
                "timbre": {"like": dropped.written},
                "nearest": fit.nearest,
                "nearestDb": fit.nearest_db,
                "fittedDb": fit.fitted_db,
            }
        )

    async def _events(self, socket: WebSocket) -> None:
        await socket.accept()
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners.add(events)
        # The page may have asked for the recipe and the map before it listened.
        events.put_nowait({"event": "recipe", "version": self.session.state.version})
        events.put_nowait({"event": "map"})

        async def send() -> None:
            while True:
                await socket.send_text(json.dumps(await events.get()))

        sending = asyncio.ensure_future(send())
        try:
            while True:  # the page says nothing here; whatever comes is dropped
                if (await socket.receive())["type"] == "websocket.disconnect":
                    break
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._listeners.discard(events)
            sending.cancel()

    def _voice(self, sound: _Sound) -> Voice:
        loaded = self.session.state.loaded
        if (sound.name is None) == (sound.timbre is None):
            raise InputError("a sound has a name or a timbre")
        if sound.timbre is not None:
            return self.engine.voice(loaded, sound.timbre)
        return self.engine.instrument(loaded, str(sound.name))

    def _regions(self, asked: _Regions) -> dict[str, Any]:
        voice = self._voice(asked.sound)
        heard = self.engine.heard(voice, asked.key, asked.ahead)
        keys = voice.keys_with(asked.key)
        answer = {
            "voice": voice.digest,
            "keys": [keys.low, keys.high],
            "low": max(voice.pitches[0] - voice.plan.loaded.recipe.play.stretch_keys, 0),
            "high": min(voice.pitches[-1] + voice.plan.loaded.recipe.play.stretch_keys, 127),
            "rateHz": voice.settings.rate_hz,
            "morph": voice.planned.axis == "wheel",
            "origin": voice.planned.origin,
        }
        if heard is None:
            return {**answer, "settled": True, "regions": [], "playing": {}}
        key = f"{voice.digest[:32]}-{heard.pitch}-{int(heard.settled)}"
        with self._lock:
            self._sounds.pop(key, None)
            self._sounds[key] = heard
            while len(self._sounds) > _MOST_REMEMBERED:
                del self._sounds[next(iter(self._sounds))]
        return {**answer, "settled": heard.settled, "behaviour": heard.packed.behaviour, **_heard(heard, key)}

    def _children(self, asked: _Children) -> dict[str, Any]:
        self.engine.voice(self.session.state.loaded, asked.timbre)  # says what is wrong with it
        return {"children": self.session.children(asked.timbre, asked.distance, asked.count, asked.draw)}

    def _save(self, asked: _Versioned) -> dict[str, Any]:
        self.session.save(asked.version)
        return self._changed(self.session.state)

    def _changed(self, state: State) -> dict[str, Any]:
        self._follow()
        self.tell({"event": "recipe", "version": state.version})
        return self._shown(state)

    def _shown(self, state: State) -> dict[str, Any]:
        """What the page has to know of the recipe and of its checkpoint."""
        loaded, data = state.loaded, state.data
        checkpoint = loaded.native_checkpoint()
        directions, bank = read_directions(checkpoint), loaded.recipe.bank
        timbres = {name: one if isinstance(one, dict) else {"seed": one} for name, one in _items(data, "timbres")}
        return {
            "version": state.version,
            "samplepack": __version__,
            "file": loaded.path.name,
            "name": loaded.recipe.name,
            "text": state.text.decode("utf-8-sig"),
            "saved": self.session.is_saved,
            "timbres": timbres,
            "bank": {bank.timbre(seed): {"seed": seed} for seed in bank.seeds} if bank else {},
            "paths": dict(_items(data, "paths")),
            "points": {
                name: point_names(name, path.steps)
                for name, path in loaded.recipe.paths.items()
                if path.as_ == "instruments" and path.steps
            },
            "process": [_in_full(step) for step in data.get("process") or ()],
            "effects": effect_controls(),
            "checkpoint": {
                "name": checkpoint.name,
                "instruments": list(read_instruments(checkpoint)),
                "directions": [
                    {"name": one.name, "figure": one.figure} for one in (directions.found if directions else ())
                ],
                "loaded": self.engine.is_loaded(checkpoint),
            },
            "low": max(loaded.recipe.pitches[0] - loaded.recipe.play.stretch_keys, 0),
            "high": min(loaded.recipe.pitches[-1] + loaded.recipe.play.stretch_keys, 127),
            "rateHz": loaded.recipe.sound.rate_for(checkpoint.rate_hz),
        }


class _Guard:
    """Answers only requests for this machine's own address, from its own pages."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts = {f"127.0.0.1:{self._server.port}", f"localhost:{self._server.port}"}
        given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
        origin = given.get(b"origin")
        token = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self._server.token.encode())
        is_own = given.get(b"host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)
        if scope["type"] == "websocket" and origin is None:
            is_own = False  # browsers always send it
        if not (known and is_own):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await _problem(403 if known else 404, "not here")(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _items(data: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    return list((data.get(key) or {}).items())


def _in_full(step: Any) -> dict[str, Any]:
    """A step of a chain as a mapping: `Reverb` means `Reverb: {}`."""
    return {step: {}} if isinstance(step, str) else {name: values or {} for name, values in step.items()}


def _no_map(number: int) -> dict[str, Any]:
    """What the page is told of a map of which nothing is known yet: places of another number belong to another one."""
    return {"number": number, "places": [], "done": 0, "of": None, "problem": None}


def _shown_place(place: Place) -> dict[str, Any]:
    return {"name": place.name, "seed": place.seed, "x": place.x, "y": place.y, "brightness": place.brightness}


def _heard(heard: Heard, key: str) -> dict[str, Any]:
    """The sounds of a key and how they are played, as `player.js` takes them."""
    playing, rate_hz = heard.voice.playing, heard.voice.settings.rate_hz
    numbers = {note.file: number for number, note in enumerate(heard.packed.notes)}
    loudness = [note.loudness_lufs for note in heard.packed.notes if note.loudness_lufs is not None]
    return {
        "loudnessLufs": max(loudness, default=None),
        "regions": [{"url": f"sound/{key}/{numbers[zone.file]}", **region(zone, rate_hz)} for zone in heard.zones],
        "playing": answers(playing, heard.packed.velocity_tracking_percent, playing.release_of(heard.packed.behaviour)),
    }


async def _body(request: Request, most_bytes: int) -> bytes | None:
    """The body of a request; None for one that is too long."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most_bytes:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


async def _answered(act: Callable[[], Any]) -> Response:
    """What a function gives, as JSON; its errors as problems that the page shows."""
    try:
        return JSONResponse(await run_in_threadpool(act))
    except Conflict as error:
        return _problem(409, str(error))
    except InputError as error:
        return JSONResponse({"problems": [str(problem) for problem in error.problems][:_MOST_TOLD]}, 422)
    except SamplepackError as error:
        return _problem(500, str(error))
    except (CancelledError, InterruptedError):
        return _problem(503, "samplepack ends")
    except OSError as error:
        return _problem(500, f"{error.filename or ''}: {error.strerror or error}")


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"problems": [message]}, status)
