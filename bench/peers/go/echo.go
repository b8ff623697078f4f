package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
)

const (
	echoConnections = 64
	echoRounds      = 50
	messageBytes    = 64
)

var echoWorkloads = []workload{{
	name:    "echo",
	summary: "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
	check:   "each byte came back as it was sent",
	effort:  "core",
	ops:     echoConnections * echoRounds,
	open:    openEcho,
}}

type message [messageBytes]byte

// fill takes the next words of the generator.
func (m *message) fill(x *random) {
	for i := 0; i < messageBytes; i += 8 {
		binary.LittleEndian.PutUint64(m[i:], x.next())
	}
}

// wire is a set of TCP connections on loopback with both ends here, the far ones of which echo.
type wire struct {
	clients []net.Conn
	sources []random   // of the messages, one for each client
	served  chan error // as many as clients, when those are closed
	echoed  atomic.Uint64
	sent    uint64
}

// openWire connects; Go sets TCP_NODELAY by itself. bufferBytes: what a server takes at once.
func openWire(connections int, bufferBytes int, seed uint64) (*wire, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, lacking{err}
	}
	defer listener.Close()
	w := &wire{served: make(chan error, connections)}
	for i := 0; i < connections; i++ {
		client, err := net.Dial("tcp4", listener.Addr().String())
		if err != nil {
			return nil, lacking{err}
		}
		server, err := listener.Accept()
		if err != nil {
			return nil, lacking{err}
		}
		w.clients = append(w.clients, client)
		w.sources = append(w.sources, newRandom(seed, i))
		go func() { w.served <- echoConnection(server, bufferBytes, &w.echoed) }()
	}
	return w, nil
}

// echoConnection sends back what it receives, until the stream ends.
func echoConnection(conn net.Conn, bufferBytes int, echoed *atomic.Uint64) error {
	defer conn.Close()
	buffer := make([]byte, bufferBytes)
	for {
		n, err := conn.Read(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return err
		}
		if echoed != nil {
			echoed.Add(uint64(n))
		}
	}
}

func (w *wire) finish() error {
	for _, client := range w.clients {
		client.Close()
	}
	var failure error
	for range w.clients {
		if err := <-w.served; err != nil && failure == nil {
			failure = fmt.Errorf("server: %w", err)
		}
	}
	if failure == nil {
		failure = expect("bytes echoed", w.echoed.Load(), w.sent)
	}
	return failure
}

func openEcho(r *run) (*opened, error) {
	w, err := openWire(echoConnections, messageBytes, r.seed)
	if err != nil {
		return nil, err
	}
	iterate := func() error {
		ended := make(chan error, echoConnections)
		for i, client := range w.clients {
			go func(client net.Conn, source *random) { ended <- talk(client, source) }(client, &w.sources[i])
		}
		w.sent += echoConnections * echoRounds * messageBytes
		return firstError(ended, echoConnections)
	}
	return &opened{iterate, w.finish}, nil
}

func talk(client net.Conn, source *random) error {
	var sent, answer message
	for i := 0; i < echoRounds; i++ {
		sent.fill(source)
		if _, err := client.Write(sent[:]); err != nil {
			return err
		}
		if err := receiveMessage(client, &answer, &sent); err != nil {
			return err
		}
	}
	return nil
}

func receiveMessage(conn net.Conn, answer, wanted *message) error {
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if !bytes.Equal(answer[:], wanted[:]) {
		return errors.New("an echo differs from what was sent")
	}
	return nil
}

// firstError waits for all n.
func firstError(ended <-chan error, n int) (first error) {
	for i := 0; i < n; i++ {
		if err := <-ended; err != nil && first == nil {
			first = err
		}
	}
	return first
}
