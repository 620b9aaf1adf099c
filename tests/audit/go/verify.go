// Verify an exported log with Go's own implementation of signed notes and transparency logs,
// golang.org/x/mod/sumdb/note and .../tlog: nothing of Likeness is used here.
//
//	verify DIR    checkpoint, log.vkey, tile/, entries/, proofs/ and consistency/<old size>
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type files struct{ dir string }

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// Go writes the tile's height into the path, C2SP leaves it out.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.dir, path))
		if err != nil {
			return nil, err
		}
		out[i] = data
	}
	return out, nil
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func read(path string) string {
	data, err := os.ReadFile(path)
	must(err, path)
	return string(data)
}

func hash(text string) (h tlog.Hash) {
	data, err := base64.StdEncoding.DecodeString(text)
	must(err, "hash")
	if len(data) != len(h) {
		log.Fatalf("a hash of %d bytes", len(data))
	}
	copy(h[:], data)
	return h
}

func hashes(lines []string) (out []tlog.Hash) {
	for _, line := range lines {
		out = append(out, hash(line))
	}
	return out
}

func open(text string, key note.Verifier) tlog.Tree {
	opened, err := note.Open([]byte(text), note.VerifierList(key))
	must(err, "checkpoint")
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != key.Name() {
		log.Fatalf("the checkpoint is of %s", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "size")
	return tlog.Tree{N: size, Hash: hash(lines[2])}
}

func main() {
	log.SetFlags(0)
	dir := os.Args[1]
	key, err := note.NewVerifier(strings.TrimSpace(read(filepath.Join(dir, "log.vkey"))))
	must(err, "log.vkey")
	tree := open(read(filepath.Join(dir, "checkpoint")), key)
	reader := tlog.TileHashReader(tree, files{dir})

	for index := int64(0); index < tree.N; index++ {
		leaf := tlog.RecordHash([]byte(read(filepath.Join(dir, "entries", fmt.Sprintf("%09d.json", index)))))
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		must(err, "tiles")
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf), "entry against the tiles")

		text := read(filepath.Join(dir, "proofs", fmt.Sprintf("%09d.tlog-proof", index)))
		head, signed, _ := strings.Cut(text, "\n\n")
		lines := strings.Split(head, "\n")
		if lines[1] != fmt.Sprintf("index %d", index) {
			log.Fatalf("proof of %s", lines[1])
		}
		at := open(signed, key)
		must(tlog.CheckRecord(hashes(lines[2:]), at.N, at.Hash, index, leaf), "entry against its proof")
	}

	olds, err := filepath.Glob(filepath.Join(dir, "consistency", "*"))
	must(err, "consistency")
	for _, path := range olds {
		head, signed, _ := strings.Cut(read(path), "\n\n")
		old := open(signed, key)
		root, err := tlog.TreeHash(old.N, reader)
		must(err, "tiles")
		if root != old.Hash {
			log.Fatalf("the tiles give another root at size %d", old.N)
		}
		var proof tlog.TreeProof = hashes(strings.Split(head, "\n")[1:])
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash), "consistency")
	}
	fmt.Printf("%d entries, %d older checkpoints\n", tree.N, len(olds))
}
