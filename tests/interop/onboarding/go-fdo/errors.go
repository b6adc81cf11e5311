package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"

	"github.com/fido-device-onboard/go-fdo/cbor"
	"github.com/fido-device-onboard/go-fdo/kex"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

var errAbsent = errors.New("this server has another role")

// A role that this server has not.
type absent struct{}

func (absent) Respond(_ context.Context, messageType uint8, _ io.Reader) (uint8, any) {
	return protocol.ErrorMsgType, refusal(messageType, errAbsent)
}

func (absent) HandleError(context.Context, protocol.ErrorMessage) {}

// CryptSession is asked of whoever answers TO2 before the message is.
func (absent) CryptSession(context.Context) (kex.Session, error) { return nil, errAbsent }

func refusal(messageType uint8, err error) protocol.ErrorMessage {
	return protocol.ErrorMessage{Code: protocol.InternalServerErrCode, PrevMsgType: messageType, ErrString: err.Error()}
}

// Tells every error message that comes in or goes out.
func telling(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if path.Base(request.URL.Path) == "255" {
			body, err := io.ReadAll(io.LimitReader(request.Body, 65536))
			if err == nil {
				tellError("peer", body)
			}
			request.Body = io.NopCloser(bytes.NewReader(body))
		}
		watched := &watchedWriter{ResponseWriter: writer}
		inner.ServeHTTP(watched, request)
		if writer.Header().Get("Message-Type") == "255" {
			tellError("here", watched.body.Bytes())
		}
	})
}

type watchedWriter struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (w *watchedWriter) Write(part []byte) (int, error) {
	w.body.Write(part)
	return w.ResponseWriter.Write(part)
}

func tellError(from string, body []byte) {
	var message protocol.ErrorMessage
	if err := cbor.Unmarshal(body, &message); err != nil {
		tell("error", fields{"from": from, "message": "an error message that cannot be read: " + err.Error()})
		return
	}
	tell("error", fields{
		"from": from, "message_type": message.PrevMsgType, "code": message.Code, "message": message.ErrString,
	})
}
