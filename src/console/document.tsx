import type { Child } from 'hono/jsx';

interface DocumentProps {
  title: string;
  /** Tells the script what it is on. */
  page: 'board' | 'sign-in';
  /** What the script sends with every change. */
  token?: string;
  children?: Child;
}

/** The frame around every page: nothing inline, nothing from elsewhere. */
export function Document({ title, page, token, children }: DocumentProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no" />
        <title>{title}</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/page.css" />
        <script src="/page.js" defer></script>
      </head>
      <body data-page={page} data-token={token}>
        {children}
      </body>
    </html>
  );
}

/** The form to sign in with a key. */
export function SignIn({ trouble, keyHint }: { trouble: string | undefined; keyHint: string }) {
  return (
    <main class="sign-in">
      <h1>
        <img src="/icon.svg" width="28" height="28" alt="" /> Parallax
      </h1>
      <form method="post" action="/login">
        <label for="key">Your key</label>
        <input id="key" name="key" type="password" required maxlength={512} autocomplete="current-password" autofocus />
        {trouble === undefined ? (
          ''
        ) : (
          <p class="trouble" role="alert">
            {trouble}
          </p>
        )}
        <button type="submit">Sign in</button>
        <p class="note">{keyHint}</p>
      </form>
    </main>
  );
}
