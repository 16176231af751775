// Command opa-peer evaluates the ten conditions with OPA's own library on every record.
//
// The query is prepared once. Measured is what is left: parsing each line and evaluating it, in
// one of two ways: as OPA's documentation shows it, or past everything that can be left out.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

type measured struct {
	Records int     `json:"records"`
	Bytes   int     `json:"bytes"`
	Matches int     `json:"matches"`
	Wall    float64 `json:"wall"`
	CPU     float64 `json:"cpu"`
}

// A judge evaluates the query on a record.
type judge func(rego.PreparedEvalQuery, []byte) (rego.ResultSet, error)

var judges = map[string]judge{"documented": documented, "parsed": parsed}

type match struct {
	line  []byte
	names []any
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run takes the way, the rules, the events, how many of them, and the file to write matches to.
func run(args []string) error {
	if len(args) != 5 || judges[args[0]] == nil {
		return fmt.Errorf("usage: opa-peer documented|parsed RULES EVENTS RECORDS MATCHES")
	}
	query, err := prepare(args[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	lines, err := read(args[2], count)
	if err != nil {
		return err
	}
	found, result, err := evaluate(judges[args[0]], query, lines)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return err
	}
	return write(args[4], found)
}

func prepare(rules string) (rego.PreparedEvalQuery, error) {
	return rego.New(rego.Query("data.bench.matches"), rego.Load([]string{rules}, nil)).PrepareForEval(context.Background())
}

func read(path string, count int) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	return lines[:min(count, len(lines))], nil
}

func evaluate(judge judge, query rego.PreparedEvalQuery, lines [][]byte) ([]match, measured, error) {
	var found []match
	var result measured
	wall, cpu := time.Now(), processorTime()
	for _, line := range lines {
		answer, err := judge(query, line)
		if err != nil {
			return nil, result, err
		}
		names, err := named(answer)
		if err != nil {
			return nil, result, err
		}
		result.Records++
		result.Bytes += len(line)
		if len(names) > 0 {
			result.Matches += len(names)
			found = append(found, match{line, names})
		}
	}
	result.Wall, result.CPU = time.Since(wall).Seconds(), processorTime()-cpu
	return found, result, nil
}

// documented decodes the record and hands it over as Go's values.
func documented(query rego.PreparedEvalQuery, line []byte) (rego.ResultSet, error) {
	var input any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&input); err != nil {
		return nil, err
	}
	return query.Eval(context.Background(), rego.EvalInput(input))
}

// parsed reads the record right into OPA's own values.
func parsed(query rego.PreparedEvalQuery, line []byte) (rego.ResultSet, error) {
	input, err := ast.ValueFromReader(bytes.NewReader(line))
	if err != nil {
		return nil, err
	}
	return query.Eval(context.Background(), rego.EvalParsedInput(input))
}

func named(answer rego.ResultSet) ([]any, error) {
	if len(answer) == 0 {
		return nil, nil
	}
	names, ok := answer[0].Expressions[0].Value.([]any)
	if !ok {
		return nil, fmt.Errorf("OPA did not answer with a set")
	}
	return names, nil
}

// processorTime is what all threads have used: the garbage collector's are OPA's cost too.
func processorTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func write(path string, found []match) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	output := bufio.NewWriter(file)
	for _, match := range found {
		var record struct {
			ID string `json:"eventID"`
		}
		if err := json.Unmarshal(match.line, &record); err != nil {
			return err
		}
		for _, name := range match.names {
			fmt.Fprintf(output, "%s\t%s\n", record.ID, name)
		}
	}
	if err := output.Flush(); err != nil {
		return err
	}
	return file.Close()
}
