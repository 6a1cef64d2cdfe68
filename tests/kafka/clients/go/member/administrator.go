package member

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Administrator is what a client can do about groups; group_suite.py (Administrator) says what each command prints.
type Administrator interface {
	List() ([]string, error)
	Describe(group string) (state string, members int, owned []string, err error)
	Offsets(group string) ([]string, error)
	Commit(group, topic string, partition int32, offset int64) error
	Forget(group, topic string, partition int32) error
	Delete(group string) error
}

// Administer carries out the commands on standard input until it ends.
func Administer(connect func(bootstrap string) (Administrator, error)) {
	bootstrap := flag.String("bootstrap", "", "HOST:PORT")
	flag.Parse()
	admin, err := connect(*bootstrap)
	if err != nil {
		Fail(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words, err := execute(admin, strings.Fields(lines.Text()))
		if err != nil {
			say("ERR %s", strings.Join(strings.Fields(err.Error()), " "))
		} else {
			say("%s", strings.Join(append([]string{"OK"}, words...), " "))
		}
	}
}

func execute(admin Administrator, words []string) ([]string, error) {
	var partition, offset int64
	if len(words) > 3 {
		partition, _ = strconv.ParseInt(words[3], 10, 32)
	}
	if len(words) > 4 {
		offset, _ = strconv.ParseInt(words[4], 10, 64)
	}
	switch words[0] {
	case "list":
		return admin.List()
	case "describe":
		state, members, owned, err := admin.Describe(words[1])
		return append([]string{state, strconv.Itoa(members)}, owned...), err
	case "offsets":
		return admin.Offsets(words[1])
	case "commit":
		return nil, admin.Commit(words[1], words[2], int32(partition), offset)
	case "forget":
		return nil, admin.Forget(words[1], words[2], int32(partition))
	case "delete":
		return nil, admin.Delete(words[1])
	}
	return nil, fmt.Errorf("there is no command %s", words[0])
}
