"""The explanations of :mod:`findings_exporter.explanations` in Japanese: the same errors, the same names in braces."""
# ruff: noqa: RUF001 - full-width punctuation is how Japanese is written

from findings_exporter.explanations import Explanation

START_AGAIN = "Step Functions コンソールから入力 {{}} でエクスポートを再度開始してください。事前の後始末は不要です。"
PROBE = (
    "その後、events/probe.json で実行を開始してください。検出結果があれば、小さな本物のレポートが数分で設定の正しさを証明します。"
)
POLICIES = (
    "バケットとキーのポリシーを template.yaml のものと比べてください。"
    "既存のバケットやキーを使う場合は、スタックの出力にあるステートメントと比べてください。"
)
NOT_SEEN = "組織のポリシーと、失敗の後に変わったことは、この確認では分かりません。"
FOUND, NOTHING_WRONG = "セットアップの確認結果: {sentences}", "セットアップの確認では問題は見つかりませんでした。"
HEALTH = "{region} の AWS Health Dashboard を確認してください。"
ENABLED = "{region} で Inspector が有効か確認してください。"

NO_BUCKET = Explanation(
    "バケットが存在しません",
    "バケット {bucket} が存在しないか、アカウント {owner} のものではなくなっています。",
    (
        "S3 コンソールでバケットを確認してください。スタックのバケットは、別名でスタックをデプロイし直すと作られます。",
        "既存のバケットを使う場合は、パラメータ ExistingBucketName と ExistingBucketOwner を直してデプロイしてください。",
        PROBE,
    ),
)
SLOW = Explanation(
    "ステップに時間がかかりすぎました",
    "関数が何度試しても時間内に終わりませんでした。呼び出し先の AWS サービスが応答していません。",
    (HEALTH, START_AGAIN),
)
LAMBDA_FAILED = Explanation(
    "Lambda が失敗しました",
    "Step Functions が何度試しても Lambda に届かないか、応答を得られませんでした。",
    ("{region} の Lambda の AWS Health Dashboard を確認してください。", START_AGAIN),
)
DIED = Explanation(
    "ステップが異常終了しました",
    "関数のプロセスが何度試しても応答前に終了しました。多くの場合、メモリ不足です。",
    (
        "実行を開き、失敗したステップを確認してください。ロググループの最後の行で、どこまで進んだか分かります。",
        "メモリを使い切っていたら、template.yaml の MemorySize を増やしてデプロイしてください。",
        START_AGAIN,
    ),
)
WORKFLOW_BROKE = Explanation(
    "ワークフローを続行できませんでした",
    "Step Functions がワークフロー自身のデータを処理できませんでした。このプログラム、またはその変更の誤りです。",
    (
        "誰かがステートマシンを変更した場合は、スタックをデプロイし直してください。",
        "そうでなければ、実行の履歴を添えて報告してください。",
        START_AGAIN,
    ),
)
EXPLANATIONS = {
    "InvalidInput": Explanation(
        "入力が正しくありません",
        "実行の入力、またはそこで使われる既定値が、README の入力の表にある形ではありません。",
        ("上に挙げた項目を直し、新しい実行を開始してください。", "events/ のファイルは、そのまま使える入力です。"),
    ),
    "LockNotObtained": Explanation(
        "別の実行がエクスポート中でした",
        "Inspector は一度に一つのレポートしか作らないため、実行は順番に行われます。先の実行がこの実行の期限まで続きました。",
        (
            "もう一方の実行の様子を確認してください。上にその実行名があります。",
            "レポートに本当にそれだけかかるなら、パラメータ DeadlineHours を増やすか、フィルターを絞ってください。",
            START_AGAIN,
        ),
    ),
    "SlotBusy": Explanation(
        "Inspector が別のレポートを作成中でした",
        "Inspector はアカウントとリージョンごとに一度に一つのレポートしか作りません。"
        "この実行は他者のレポートを待たない設定でした。",
        ("そのレポートの終了後に、または on_busy: wait で、エクスポートを再度開始してください。",),
    ),
    "DeadlineExceeded": Explanation(
        "期限を過ぎました",
        "Inspector はレポートの所要時間を約束しません。検出結果が多い場合や混雑時には遅くなります。",
        (
            "パラメータ DeadlineHours（最大 24）か、入力の deadline_hours を増やしてください。",
            "以前は速かった場合は、{region} の Inspector の AWS Health Dashboard を確認してください。",
            START_AGAIN,
        ),
    ),
    "CreateRefused": Explanation(
        "Inspector がレポートを拒否しました",
        "Inspector が要求を審査し、拒否しました。Inspector 自身の言葉は上にあります。",
        ("フィルターが挙げられていれば、フィルター条件を直してください。", ENABLED, START_AGAIN),
    ),
    "Report.INVALID_PERMISSIONS": Explanation(
        "Inspector がレポートを書き込めません",
        "バケット {bucket} かキー {key} のポリシーが、このアカウントのレポートの書き込みを Inspector に許可していないか、"
        "Deny ステートメントが禁止しています。",
        (
            POLICIES,
            "aws:SourceAccount と aws:SourceArn に、アカウント {account} とリージョン {region} が必要です。",
            PROBE,
        ),
    ),
    "Report.BUCKET_NOT_FOUND": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    "Report.INCOMPATIBLE_BUCKET_REGION": Explanation(
        "バケットが別のリージョンにあります",
        "Inspector は検出結果と同じリージョン {region} のバケットにしかレポートを書き込みません。",
        (
            "パラメータ ExistingBucketName に {region} のバケットを指定するか、空にしてスタックに作らせてください。",
            PROBE,
        ),
    ),
    "Report.MALFORMED_KMS_KEY": Explanation(
        "キーを使えません",
        "キー {key} は、存在し、有効で、対称の、カスタマー管理のキーで、{region} にあり、ARN で指定されている必要があります。",
        (
            "KMS コンソールで状態と種類を確認してください。無効なキーや削除待ちのキーは使えません。",
            "パラメータ ExistingKeyArn に別のキーを指定するか、空にしてスタックのキーを使ってください。",
            PROBE,
        ),
    ),
    "Report.INTERNAL_ERROR": Explanation(
        "Inspector の内部エラー",
        "Inspector 自身のエラーです。通常は一時的なものです。",
        (START_AGAIN, "続く場合は AWS Health Dashboard を確認し、上のレポート ID を AWS サポートに伝えてください。"),
    ),
    "Report.CANCELLED": Explanation(
        "誰かがレポートを取り消しました",
        "この実行が待つ間に、Inspector コンソールか他のツールでレポートが取り消されました。"
        "誰によるかは CloudTrail で分かります（イベント CancelFindingsReport）。",
        (START_AGAIN,),
    ),
    "Report.UNKNOWN": Explanation(
        "Inspector がレポートを失いました",
        "Inspector は一度受け付けたレポートを知らないと答えました。Inspector を無効にするとこうなります。",
        (ENABLED, START_AGAIN),
    ),
    "Delivery.Encryption": Explanation(
        "レポートの暗号化が違います",
        "バケット {bucket} の既定値、または別の書き込みが、Inspector に求めた暗号化を置き換えました。",
        (
            "バケットの既定の暗号化を確認してください。キーは {key} である必要があります。",
            "残してはならない場合は、誤って暗号化されたレポートを削除してください。",
            PROBE,
        ),
    ),
    "Delivery.Corrupt": Explanation(
        "レポートが壊れています",
        "Inspector はレポートの成功を報告しましたが、ファイルは完全な検出結果レポートではありません。",
        (
            "上に挙げたファイルを見てください。残してあります。",
            START_AGAIN,
            "続く場合はレポート ID を AWS サポートに伝えてください。",
        ),
    ),
    "AccessDeniedError": Explanation(
        "AWS が呼び出しを拒否しました",
        "エクスポーターに必要な操作を、関数のロール、バケット、キー、または組織のサービスコントロールポリシーが許可していないか、"
        "禁止しています。拒否された呼び出しは上にあります。Inspector が有効でない場所では Inspector も拒否し、"
        "バケットが {owner} 以外のアカウントのものなら S3 も拒否します。",
        (
            "{region} で Inspector が有効か、バケットが {owner} のものか確認してください。",
            "誰かがロールを変更した場合は、スタックをデプロイし直してください。",
            POLICIES,
            "組織のサービスコントロールポリシーの管理者に尋ねてください。",
            PROBE,
        ),
    ),
    "LockLostError": Explanation(
        "実行がロックを失いました",
        "別の実行がロックを持っているため、妨げないように停止しました。再駆動（redrive）した実行はこう終わります。",
        ("再駆動には対応していません。新しい実行を開始してください。",),
    ),
    "ServiceUnavailableError": Explanation(
        "AWS が応答しませんでした",
        "AWS のサービスが何度試しても制限を返すか失敗しました。",
        (HEALTH, START_AGAIN),
    ),
    "StillCreatingError": Explanation(
        "レポートがまだ開始されるかもしれません",
        "関数が Inspector にレポートを求めている間に中断されたため、それが成功し得なくなるまでロックを保持します。",
        ("対処は不要です。次の実行か 1 時間ごとの見回りが、レポートを取り消しロックを解放します。", START_AGAIN),
    ),
    "StillRunningError": Explanation(
        "取り消したレポートが止まっていません",
        "Inspector にレポートの取り消しを求めましたが、まだ作成中と表示されます。",
        ("対処は不要です。次の実行か 1 時間ごとの見回りが、再度取り消し、止まるまで待ちます。", START_AGAIN),
    ),
    "ToldElsewhereError": Explanation(
        "別の関数が通知中でした",
        "結果は記録されましたが、別の関数が通知を引き受けたまま、時間内に終えませんでした。",
        (
            "この実行の通知が届いていれば対処は不要です。記録された結果が書かれています。",
            "届いていなければ、次の 1 時間ごとの見回りを待ってください。そこで通知されます。",
        ),
    ),
    "NotRecordedError": Explanation(
        "実行が記録されていませんでした",
        "ステップが記録のない実行に出会いました。誰かがテーブルから削除したか、記録の期限後に再駆動されました。",
        ("スタックのテーブルを他の誰も変更していないか確認してください。", START_AGAIN),
    ),
    "ConfigurationError": Explanation(
        "デプロイが不完全です",
        "上に挙げた環境変数が関数にありません。誰かが関数を手で変更しました。",
        ("スタックをデプロイし直してください。", PROBE),
    ),
    "UnsupportedReleaseError": Explanation(
        "実行がデプロイより古いものです",
        "実行は現在のコードよりずっと前に開始され、ステップはその形式をもう知りません。",
        (START_AGAIN,),
    ),
    "Sandbox.Timedout": SLOW,
    "Workflow.Timeout": SLOW,
    "Lambda.ServiceException": LAMBDA_FAILED,
    "Lambda.SdkClientException": LAMBDA_FAILED,
    "Lambda.ClientExecutionTimeoutException": LAMBDA_FAILED,
    "Lambda.AWSLambdaException": Explanation(
        "Lambda がステップを実行しませんでした",
        "ワークフローが関数を呼び出せないか、関数が起動できません。状態、ロール、またはレイヤーに問題があります。"
        "Lambda 自身の言葉は上にあります。",
        (
            "Lambda コンソールで関数を開いてください。実行できない理由が表示されます。",
            "誰かが関数やワークフローのロールを変更した場合は、スタックをデプロイし直してください。",
            "明示的な拒否が挙げられていれば、組織のサービスコントロールポリシーの管理者に尋ねてください。",
            PROBE,
        ),
    ),
    "Lambda.Unknown": DIED,
    "Runtime.ExitError": DIED,
    "Lambda.TooManyRequestsException": Explanation(
        "Lambda に空きがありませんでした",
        "他の関数が {region} のアカウントの Lambda 同時実行数を使い切り続けました。新しいアカウントでは 10 のことがあります。",
        ("Service Quotas で Lambda のクォータ「Concurrent executions」を引き上げてください。", START_AGAIN),
    ),
    "Workflow.UnknownAnswer": Explanation(
        "ステップの応答が不明です",
        "ワークフローがステップの応答を解釈できないため、レポートが完全かどうか判断できません。"
        "関数とワークフローのバージョンが異なるか、どちらかが手作業で変更されています。",
        (
            "スタックをデプロイし直してください。",
            START_AGAIN,
            "それでも続く場合は、実行の履歴を添えて報告してください。",
        ),
    ),
    "States.Runtime": WORKFLOW_BROKE,
    "Workflow.QueryEvaluationError": WORKFLOW_BROKE,
    "States.DataLimitExceeded": Explanation(
        "入力が大きすぎます",
        "Step Functions がステップ間で渡せるのは 256 KiB までで、実行の入力がほぼそれを占めています。",
        ("入力のフィルター条件を短くし、新しい実行を開始してください。",),
    ),
    "Stopped": Explanation(
        "実行が停止されました",
        "誰かが実行を停止しました。誰によるかは CloudTrail で分かります（イベント StopExecution）。"
        "レポートの取り消しとロックの解放は自動で行われます。",
        (START_AGAIN,),
    ),
    "TimedOut": Explanation(
        "実行に時間がかかりすぎました",
        "ステートマシン自身の制限時間が実行を終わらせました。レポートの取り消しとロックの解放は自動で行われます。",
        (
            "期限がより早く実行を終わらせるので、本来は起きません。実行の履歴を添えて報告してください。",
            START_AGAIN,
        ),
    ),
}
UNKNOWN = Explanation(
    "予期しないことが起きました",
    "このエラーは想定されていません。",
    ("実行を開き、失敗したステップを確認してください。詳細はロググループにあります。", START_AGAIN),
)
