<?php
// A session with a database: reads a statement as JSON from each line, and prints what came of it likewise.
[, $where, $user] = $argv;
$options = str_starts_with($where, 'mysql:') ? [PDO::MYSQL_ATTR_FOUND_ROWS => true] : [];
$database = new PDO($where, $user, '', $options);
while (($line = fgets(STDIN)) !== false) {
    $done = $database->query(json_decode($line));
    $rows = $done->columnCount() > 0 ? $done->fetchAll(PDO::FETCH_NUM) : [];
    echo json_encode(['rows' => $rows, 'count' => $done->rowCount()]), "\n";
}
