// Package spec holds what a Kafka client written in Go has to be able to do against the server.
package spec

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

const waitMax = 30 * time.Second

// Suite runs checks and prints their outcome in the form that run.py reads (see harness.py).
type Suite struct {
	Only           string
	passed, failed int
}

func (s *Suite) Check(name string, run func() error) {
	if s.Only != "" && !strings.Contains(name, s.Only) {
		return
	}
	started := time.Now()
	if err := guarded(run); err != nil {
		s.failed++
		fmt.Printf("FAIL %s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	s.passed++
	fmt.Printf("PASS %s %.2fs\n", name, time.Since(started).Seconds())
}

// guarded makes a failed check of a client's panic, so that the other checks still run.
func guarded(run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return run()
}

// Finish prints the summary and returns the exit status.
func (s *Suite) Finish() int {
	fmt.Printf("DONE passed=%d failed=%d\n", s.passed, s.failed)
	if s.failed == 0 && s.passed > 0 {
		return 0
	}
	return 1
}

func equal[T comparable](actual, expected T, what string) error {
	if actual != expected {
		return fmt.Errorf("%s: %v where %v was expected", what, actual, expected)
	}
	return nil
}

// sameBytes tells null from empty, as Kafka does.
func sameBytes(actual, expected []byte, what string) error {
	if !bytes.Equal(actual, expected) || (actual == nil) != (expected == nil) {
		return fmt.Errorf("%s: %.80q (null: %t) where %.80q (null: %t) was expected", what, actual, actual == nil, expected, expected == nil)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// waitUntil polls a state of the server, which has no event to wait on from outside.
func waitUntil(condition func() (bool, error), what string) error {
	deadline := time.Now().Add(waitMax)
	for {
		done, err := condition()
		if err != nil || done {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, waitMax)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
