package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/cose"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

// What a server keeps between runs of protocols: the owner's keys and vouchers, and where owners are.
type stock struct {
	mutex     sync.Mutex
	owners    *keyring
	vouchers  map[protocol.GUID]*fdo.Voucher
	addresses map[protocol.GUID]registered
}

// An owner's address, and until when it counts.
type registered struct {
	to1d    *cose.Sign1[protocol.To1d, []byte]
	voucher *fdo.Voucher
	until   time.Time
}

func newStock(owners *keyring) *stock {
	return &stock{
		owners:    owners,
		vouchers:  map[protocol.GUID]*fdo.Voucher{},
		addresses: map[protocol.GUID]registered{},
	}
}

// Whether a voucher is the owner's here.
func (s *stock) holds(voucher *fdo.Voucher) error {
	owner, err := voucher.OwnerPublicKey()
	if err != nil {
		return err
	}
	kind, err := kindOfKey(owner)
	if err != nil {
		return err
	}
	key, err := s.owners.of(kind)
	if err != nil {
		return err
	}
	if !key.key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(owner) {
		return errors.New("the voucher is another owner's")
	}
	return nil
}

func (s *stock) OwnerKey(_ context.Context, keyType protocol.KeyType, rsaBits int) (crypto.Signer, []*x509.Certificate, error) {
	kind, err := kindOf(keyType, rsaBits)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.owners.of(kind)
	if err != nil {
		return nil, nil, err
	}
	return key.key, key.chain, nil
}

func (s *stock) AddVoucher(_ context.Context, voucher *fdo.Voucher) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.vouchers[voucher.Header.Val.GUID] = voucher
	return nil
}

func (s *stock) Voucher(_ context.Context, guid protocol.GUID) (*fdo.Voucher, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	voucher := s.vouchers[guid]
	if voucher == nil {
		return nil, fdo.ErrNotFound
	}
	return voucher, nil
}

func (s *stock) ReplaceVoucher(_ context.Context, old protocol.GUID, voucher *fdo.Voucher) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.vouchers, old)
	s.vouchers[voucher.Header.Val.GUID] = voucher
	return nil
}

func (s *stock) RemoveVoucher(_ context.Context, guid protocol.GUID) (*fdo.Voucher, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	voucher := s.vouchers[guid]
	if voucher == nil {
		return nil, fdo.ErrNotFound
	}
	delete(s.vouchers, guid)
	return voucher, nil
}

// Where owners are, as the rendezvous server asks; each session remembers for whom.
type rendezvousStock struct {
	*stock
	sessions *sessions
}

func (r rendezvousStock) SetRVBlob(_ context.Context, voucher *fdo.Voucher, to1d *cose.Sign1[protocol.To1d, []byte], until time.Time) error {
	guid := voucher.Header.Val.GUID
	r.mutex.Lock()
	r.addresses[guid] = registered{to1d, voucher, until}
	r.mutex.Unlock()
	var addresses []string
	for _, address := range to1d.Payload.Val.RV {
		addresses = append(addresses, address.String())
	}
	tell("to0", fields{
		"guid": guidText(guid), "wait_seconds": int64(time.Until(until).Round(time.Second).Seconds()), "addresses": addresses,
	})
	return nil
}

func (r rendezvousStock) RVBlob(ctx context.Context, guid protocol.GUID) (*cose.Sign1[protocol.To1d, []byte], *fdo.Voucher, error) {
	r.mutex.Lock()
	at, known := r.addresses[guid]
	r.mutex.Unlock()
	if !known || time.Now().After(at.until) {
		return nil, nil, fdo.ErrNotFound
	}
	if err := r.sessions.SetGUID(ctx, guid); err != nil {
		return nil, nil, err
	}
	return at.to1d, at.voucher, nil
}

// Vouchers of a manufacturer, who sells each device at once and keeps none.
type made struct{}

func (made) AddVoucher(context.Context, *fdo.Voucher) error { return nil }

func (made) Voucher(context.Context, protocol.GUID) (*fdo.Voucher, error) {
	return nil, fdo.ErrNotFound
}
