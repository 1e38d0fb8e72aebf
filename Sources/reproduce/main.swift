import Interventions
import Tensor
Runtime.pin()
for folder in CommandLine.arguments.dropFirst() {
  let rows = try parity(folder: folder)
  for row in rows { print(row.passes ? "ok  " : "FAIL", row.name, row.difference, row.tolerance) }
}
