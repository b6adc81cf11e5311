package main

import (
	"context"
	"errors"
	"time"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

// Registers all vouchers of a file with a rendezvous server.
func runTO0(arguments []string) error {
	flags, debug := newFlags("to0")
	rendezvous := flags.String("rv", "", "URL of the rendezvous server")
	file := flags.String("voucher", "", "file of vouchers")
	ownerKey := flags.String("owner-key", "", "private key of the owner")
	wait := flags.Uint("wait", 0, "seconds to ask for; else the most there are")
	timeout := flags.Duration("timeout", time.Minute, "time for all of it")
	var owners list
	flags.Var(&owners, "to2", "URL of the owner, repeatable")
	trust := trustFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	setLog(*debug)
	switch {
	case *rendezvous == "" || *file == "" || *ownerKey == "" || len(owners) == 0:
		return errors.New("give --rv, --voucher, --owner-key and --to2")
	case *wait > 4294967295:
		return errors.New("--wait is too large")
	}
	var addresses []protocol.RvTO2Addr
	for _, owner := range owners {
		where, err := parseAddress(owner)
		if err != nil {
			return err
		}
		addresses = append(addresses, where.forTO2())
	}
	transports, err := trust.transports()
	if err != nil {
		return err
	}
	vouchers, err := readVouchers(*file)
	if err != nil {
		return err
	}
	stock := newStock(newKeyring("", "owner"))
	if err := stock.owners.take(*ownerKey); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	client := &fdo.TO0Client{Vouchers: stock, OwnerKeys: stock, TTL: uint32(*wait)}
	for _, voucher := range vouchers {
		guid := voucher.Header.Val.GUID
		if err := stock.AddVoucher(ctx, voucher); err != nil {
			return err
		}
		granted, err := client.RegisterBlob(ctx, transports(*rendezvous), guid, addresses)
		if err != nil {
			return err
		}
		tell("registered", fields{"guid": guidText(guid), "wait_seconds": granted})
	}
	return nil
}
