package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

const (
	echoConnections = 64
	echoRounds      = 50
	messageBytes    = 64
	echoBuffer      = 4096 // what a far end takes at once
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
	sources []random    // of the messages, one for each client
	served  chan served // as many as clients, when those are closed
	sent    uint64
}

// served is what a far end did.
type served struct {
	echoed uint64 // bytes
	err    error
}

// openWire connects; Go sets TCP_NODELAY by itself.
func openWire(connections int, seed uint64) (*wire, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, lacking{err}
	}
	defer listener.Close()
	w := &wire{served: make(chan served, connections)}
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
		go func() {
			echoed, err := echoConnection(server)
			w.served <- served{echoed, err}
		}()
	}
	return w, nil
}

// echoConnection sends back what it receives, until the stream ends.
func echoConnection(conn net.Conn) (echoed uint64, err error) {
	defer conn.Close()
	buffer := make([]byte, echoBuffer)
	for {
		n, err := conn.Read(buffer)
		if errors.Is(err, io.EOF) {
			return echoed, nil
		}
		if err != nil {
			return echoed, err
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return echoed, err
		}
		echoed += uint64(n)
	}
}

func (w *wire) finish() error {
	for _, client := range w.clients {
		client.Close()
	}
	echoed := uint64(0)
	for range w.clients {
		far := <-w.served
		if far.err != nil {
			return fmt.Errorf("far end: %w", far.err)
		}
		echoed += far.echoed
	}
	return expect("bytes echoed", echoed, w.sent)
}

func openEcho(r *run) (*opened, error) {
	w, err := openWire(echoConnections, r.seed)
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
