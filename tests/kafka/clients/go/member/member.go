// Package member holds what group members written in Go share; what they are told and print is in members/member.py.
package member

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Heartbeat is how often a member tells that it lives.
const Heartbeat = 300 * time.Millisecond

type Options struct {
	Bootstrap, Group, Topic, Strategy, Instance string
	Session                                     time.Duration
}

func Parse() Options {
	var options Options
	flag.StringVar(&options.Bootstrap, "bootstrap", "", "HOST:PORT")
	flag.StringVar(&options.Group, "group", "", "group id")
	flag.StringVar(&options.Topic, "topic", "", "what it consumes")
	flag.StringVar(&options.Strategy, "strategy", "", "how it balances")
	flag.StringVar(&options.Instance, "instance", "", "group.instance.id: a static member")
	millis := flag.Int("session-ms", 0, "session timeout")
	flag.Parse()
	options.Session = time.Duration(*millis) * time.Millisecond
	return options
}

var output sync.Mutex

func say(format string, values ...any) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf(format+"\n", values...)
}

func moved(sign string, partitions map[string][]int32) {
	var names []string
	for topic, indexes := range partitions {
		for _, index := range indexes {
			names = append(names, fmt.Sprintf("%s/%d", topic, index))
		}
	}
	slices.Sort(names)
	say("%s %d %s", sign, time.Now().UnixMilli(), strings.Join(names, " "))
}

func Gained(partitions map[string][]int32) { moved("+", partitions) }

func GaveUp(partitions map[string][]int32) { moved("-", partitions) }

func Record(topic string, partition int32, offset int64, value []byte) {
	say("R %s/%d %d %s", topic, partition, offset, value)
}

func Complain(err error) {
	say("! %s", strings.Join(strings.Fields(err.Error()), " "))
}

// Fail ends a member that cannot begin.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// OnLeave calls leave once standard input ends.
func OnLeave(leave func()) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		leave()
	}()
}
