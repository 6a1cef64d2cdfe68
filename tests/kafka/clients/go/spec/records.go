package spec

import (
	"bytes"
	"fmt"
	"math/rand"
	"time"
)

// Header is one header of a record; a nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record as a client sees it; a nil Key or Value is Kafka's null.
type Record struct {
	Offset     int64 // only in what was consumed
	Key, Value []byte
	Headers    []Header
	Millis     int64
}

// Samples shows every distinction Kafka's format makes, and holds enough bulk for several batches.
func Samples() []Record {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	all := []Record{
		{Key: nil, Value: []byte("first")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("null value"), Value: nil},
		{Key: nil, Value: nil},
		{Key: every, Value: bytes.Repeat(every, 3)},
		{Key: []byte("headers"), Value: []byte("v"), Headers: []Header{
			{"a", []byte("1")}, {"a", []byte("2")}, {"empty", []byte{}}, {"null", nil}, {"näme", every}}},
	}
	noise := rand.New(rand.NewSource(7))
	for i := range 200 {
		value := make([]byte, i*37%1500)
		if i%2 == 0 {
			noise.Read(value)
		}
		all = append(all, Record{Key: fmt.Appendf(nil, "key-%d", i), Value: value})
	}
	all = append(all, Record{Key: []byte("large"), Value: bytes.Repeat([]byte("a large value\n"), 20000)})
	base := time.Now().UnixMilli() - 3_600_000
	for i := range all {
		all[i].Millis = base + int64(10*i)
	}
	return all
}

// expectRecords compares offsets, which must be dense, and every field of every record.
func expectRecords(actual, expected []Record, firstOffset int64, what string) error {
	if err := equal(len(actual), len(expected), what+": number of records"); err != nil {
		return err
	}
	for i, want := range expected {
		got := actual[i]
		at := fmt.Sprintf("%s, record %d", what, i)
		err := first(
			equal(got.Offset, firstOffset+int64(i), at+": offset"), sameBytes(got.Key, want.Key, at+": key"),
			sameBytes(got.Value, want.Value, at+": value"), equal(len(got.Headers), len(want.Headers), at+": number of headers"))
		if err == nil && want.Millis != 0 {
			err = equal(got.Millis, want.Millis, at+": timestamp")
		}
		for h := 0; err == nil && h < len(want.Headers); h++ {
			err = first(equal(got.Headers[h].Key, want.Headers[h].Key, at+": header"),
				sameBytes(got.Headers[h].Value, want.Headers[h].Value, at+": value of header "+want.Headers[h].Key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
