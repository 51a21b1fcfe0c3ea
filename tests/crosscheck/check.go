// Checks a log with Go's own libraries: check FOLDER LOG-KEY WITNESS-KEY. Exit 0 when everything holds, else 1 and the reason.
//
// Ours are the twelve lines that read a witness's signature and the ten that read a proof file: the libraries know neither.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles struct{ folder string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		content, err := os.ReadFile(filepath.Join(t.folder, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, content)
	}
	return found, nil
}

// A witness signs the time with the text (C2SP tlog-cosignature, type 0x04).
type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.id }
func (w witness) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig[:8]), msg)
	return ed25519.Verify(w.key, []byte(signed), sig[8:])
}

func readWitness(vkey string) (witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	id, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return witness{}, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return witness{}, errors.New("no witness key")
	}
	return witness{parts[0], uint32(id), key[1:]}, nil
}

func hashOf(line string) (hash tlog.Hash, err error) {
	raw, err := base64.StdEncoding.DecodeString(line)
	if err == nil && copy(hash[:], raw) != 32 {
		err = errors.New("no hash")
	}
	return hash, err
}

func hashesOf(lines []string) (hashes []tlog.Hash, err error) {
	for _, line := range lines {
		hash, err := hashOf(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func same(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func treeOf(folder, logKey, witnessKey string) (tree tlog.Tree, err error) {
	written, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return tree, err
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return tree, err
	}
	witnessed, err := readWitness(witnessKey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(written, note.VerifierList(log, witnessed))
	if err != nil {
		return tree, err
	}
	if len(opened.Sigs) != 2 {
		return tree, fmt.Errorf("%d of 2 signatures", len(opened.Sigs))
	}
	lines := strings.Split(opened.Text, "\n")
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = hashOf(lines[2])
	return tree, err
}

func entries(folder string, bundle, width int64) (found [][]byte, err error) {
	path := tlog.Tile{H: 8, L: 0, N: bundle, W: int(width)}.Path()
	content, err := os.ReadFile(filepath.Join(folder, strings.Replace(path, "tile/8/0/", "tile/entries/", 1)))
	for err == nil && len(content) > 0 {
		length := int(binary.BigEndian.Uint16(content))
		found, content = append(found, content[2:2+length]), content[2+length:]
	}
	return found, err
}

func check(folder, logKey, witnessKey string) (map[string]int64, error) {
	tree, err := treeOf(folder, logKey, witnessKey)
	if err != nil {
		return nil, err
	}
	reader := tlog.TileHashReader(tree, tiles{folder})
	counts := map[string]int64{"size": tree.N}
	leaves := make([]tlog.Hash, 0, tree.N)
	for begin := int64(0); begin < tree.N; begin += 256 {
		width := tree.N - begin
		if width > 256 {
			width = 256
		}
		bundle, err := entries(folder, begin/256, width)
		if err != nil || int64(len(bundle)) != width {
			return nil, fmt.Errorf("bundle %d: %d entries, %v", begin/256, len(bundle), err)
		}
		var indexes []int64
		for i := range bundle {
			indexes = append(indexes, tlog.StoredHashIndex(0, begin+int64(i)))
			leaves = append(leaves, tlog.RecordHash(bundle[i]))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return nil, err
		}
		if !same(hashes, leaves[begin:]) {
			return nil, fmt.Errorf("an entry of bundle %d is not the one in the tree", begin/256)
		}
		counts["entries"] += width
	}
	for _, kind := range []string{"inclusion", "consistency"} {
		files, err := filepath.Glob(filepath.Join(folder, kind, "*"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := checkProof(kind, file, tree, reader, leaves); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			counts[kind]++
		}
	}
	return counts, nil
}

func checkProof(kind, file string, tree tlog.Tree, reader tlog.HashReader, leaves []tlog.Hash) error {
	written, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.SplitN(string(written), "\n\n", 2)[0], "\n")
	number, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	if kind == "inclusion" {
		path, err := hashesOf(lines[2:])
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, number, leaves[number]); err != nil {
			return err
		}
		proved, err := tlog.ProveRecord(tree.N, number, reader)
		if err == nil && !same(path, proved) {
			err = errors.New("the proof is another one than Go's")
		}
		return err
	}
	hashes, err := hashesOf(lines[2:])
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(hashes[1:], tree.N, tree.Hash, number, hashes[0]); err != nil {
		return err
	}
	proved, err := tlog.ProveTree(tree.N, number, reader)
	if err == nil && !same(hashes[1:], proved) {
		err = errors.New("the proof is another one than Go's")
	}
	return err
}

func main() {
	counts, err := check(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(counts)
}
