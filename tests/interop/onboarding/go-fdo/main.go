// A peer for tests of onboarding: the manufacturer, rendezvous server, owner and device of the library go-fdo.
//
//	go-fdo-peer server  --data DIR …                          manufacturer, rendezvous server and owner
//	go-fdo-peer device  --di URL --credential FILE …          makes a device
//	go-fdo-peer device  --credential FILE --onboard …         onboards it
//	go-fdo-peer to0     --rv URL --voucher FILE …             registers vouchers with a rendezvous server
//	go-fdo-peer voucher verify FILE                           verifies the vouchers in a file
//
// What happened is told on standard output, one JSON object a line, each with an "event"; all else goes to standard error.
// A run that fails ends with the event "failed" and a code that is not zero.
package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/fido-device-onboard/go-fdo/protocol"
)

// What one event tells.
type fields map[string]any

var output sync.Mutex

// Tells one event. The line is complete before the next one begins, whoever tells it.
func tell(event string, what fields) {
	line := fields{"event": event}
	for name, value := range what {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(fmt.Sprintf("event %s: %v", event, err))
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}

func guidText(guid protocol.GUID) string { return hex.EncodeToString(guid[:]) }

// A flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// The flags of a subcommand, and whether all messages are shown on standard error.
func newFlags(name string) (*flag.FlagSet, *bool) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	return flags, flags.Bool("debug", false, "show all messages, decrypted")
}

func setLog(debug bool) {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("give server, device, to0 or voucher verify")
	}
	switch arguments[0] {
	case "server":
		return runServer(arguments[1:])
	case "device":
		return runDevice(arguments[1:])
	case "to0":
		return runTO0(arguments[1:])
	case "voucher":
		return runVoucher(arguments[1:])
	default:
		return fmt.Errorf("there is no subcommand %q", arguments[0])
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		tell("failed", fields{"message": err.Error()})
		os.Exit(1)
	}
}
